"""Private words go through every function; none lies on disk or in a log (S32, I8)."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from services.audit.commands import GetTimeline, GetTrail
from services.crm.commands import (
    ForgetContact,
    GetContact,
)
from services.crm.errors import ContactUnknown
from services.embedded import Running
from services.envelope.commands import (
    GetMessages,
    OpenEnvelope,
)
from services.envelope.errors import EnvelopeUnknown
from tests.faults.canaries import forms, search, search_folder
from tests.faults.soundness import catch_up, unlike_a_rebuild
from tests.faults.story import BODY, BROWSER, OF_THE_PERSON, PERSON, STORY, Story
from tests.systems import a_system
from tests.waiting import until

pytestmark = pytest.mark.integration


class _Log(logging.Handler):
    """Keeps all that anybody logs, with tracebacks, as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[_Log]:
    """Keep what the product logs, its own modules at their most talkative."""
    handler, root = _Log(), logging.getLogger()
    own = [logging.getLogger(name) for name in ("services", "shared")]
    root.addHandler(handler)
    for logger in own:
        logger.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    for logger in own:
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("word", [*OF_THE_PERSON.values(), "739201", BODY])
def test_the_search_finds_each_form_of_a_word_wherever_it_stands(
    tmp_path: Path, word: str
) -> None:
    for form, shape in forms(word).items():
        for before in (b"", b"x", b"xy"):
            (tmp_path / "scratch.bin").write_bytes(before + b" " + shape + b"|\n")
            found = search_folder(tmp_path, {"it": word})
            assert form in {hit.form for hit in found}, form
    (tmp_path / "scratch.bin").write_bytes(b"nothing of the kind, 17642739201887")
    assert search_folder(tmp_path, {"it": word}) == []


def test_the_search_finds_what_is_coded_in_the_middle_of_something_else() -> None:
    for shift in range(3):
        content = base64.b64encode(b"q" * shift + STORY.encode() + b"tail")
        assert search(content, {"it": STORY}, "here")


def test_no_private_word_lies_on_disk_or_in_a_log(
    tmp_path: Path, log: _Log, capfd: pytest.CaptureFixture[str]
) -> None:
    with a_system(tmp_path) as system:
        story = Story(system.running)
        story.tell()
        catch_up(system.running.core)
        folder = system.settings.data
        assert any(path.name.endswith("-wal") for path in folder.rglob("*"))
        assert search_folder(folder, story.all_words) == []
        _forget_and_look(story, system.running, tmp_path)
        assert search_folder(folder, story.all_words) == []
    assert search_folder(tmp_path / "data", story.all_words) == []
    assert search("\n".join(log.lines).encode(), story.all_words, "log") == []
    told = capfd.readouterr()
    assert search((told.out + told.err).encode(), story.all_words, "output") == []


def _forget_and_look(story: Story, system: Running, scratch: Path) -> None:
    """After forgetting: no key, nothing to read, but every line of evidence."""
    audit, officer = system.apis.audit, story.by("compliance")
    asked = GetTimeline(envelope_id=story.envelope)
    before = audit.timeline(asked, officer).lines
    readable = _words_that_open(system)
    assert {"given", "new family", "postcode", "story"} <= readable
    blobs = set(system.core.settings.folder.blobs.rglob("*"))
    forget = ForgetContact(contact_id=story.contact, reason="person_asked")
    system.apis.crm.forget(forget, officer)
    until(
        lambda: (
            len(
                [
                    line
                    for line in audit.trail(
                        GetTrail(type_name="ContactKeysDestroyed"), officer
                    ).lines
                    if line.contact == story.contact
                ]
            )
            == 3
        ),
        "the end of the keys",
    )
    catch_up(system.core)
    # Another person has the same first names; all else was of this one alone.
    assert _words_that_open(system) <= {"given", "family", "folded family"}
    assert blobs - set(system.core.settings.folder.blobs.rglob("*"))
    assert audit.timeline(asked, officer).lines[: len(before)] == before
    rows = system.apis.envelope.messages(
        GetMessages(contact_id=story.contact), story.by("sender")
    ).rows
    assert {(row.formal_name, row.title, row.status) for row in rows} == {
        ("", "", "erased")
    }
    with pytest.raises(ContactUnknown):
        system.apis.crm.contact(
            GetContact(contact_id=story.contact), story.by("sender")
        )
    public = system.core.apis("viewer").envelope
    again = OpenEnvelope(
        token=story.words["fresh token"], browser=BROWSER, answer=PERSON.postcode
    )
    with pytest.raises(EnvelopeUnknown):
        public.open(again, story.visitor())
    (scratch / "rebuilt").mkdir()
    assert unlike_a_rebuild(system.core, scratch / "rebuilt") == []
    assert search_folder(scratch / "rebuilt", story.all_words) == []


def _words_that_open(system: Running) -> set[str]:
    """Return which of the person's words any service can still read from the store."""
    found: set[str] = set()
    for part in system.core.followed:
        facts = part.store.read_all(0, 1000)
        while facts:
            text = "\n".join(repr(fact.event) for fact in facts)
            found |= {h.name for h in search(text.encode(), OF_THE_PERSON, "")}
            facts = part.store.read_all(facts[-1].position, 1000)
    return found
