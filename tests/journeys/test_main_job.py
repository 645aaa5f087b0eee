"""The main job over real HTTP and SMTP, and the command that people type."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.console import Console
from services.walk import Walk, sealed_at_rest
from tests.systems import a_system, worker_port_base

pytestmark = pytest.mark.integration
ORDER = [
    "LetterIssued",
    "EnvelopeSent",
    "LetterConsigned",
    "SendPermitted",
    "RelayAttempted",
    "LinkFetched",
    "EnvelopeViewed",
    "EnvelopeExpiryChanged",
]


def letterlock(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services", *words, "--data", str(folder / "data")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_check_of_the_walk_holds(tmp_path: Path) -> None:
    with a_system(tmp_path) as system:
        told = Walk(
            system.running, system.ids, system.sign_in_link("anna"), Console(quiet=True)
        ).go()
    assert sealed_at_rest(system.settings.data)
    assert {name for name, held in told.checks.items() if not held} == set()
    assert len(told.checks) >= 10
    names = [line["event"] for line in told.timeline]
    assert [name for name in names if name in ORDER] == ORDER
    relayed = names.index("EnvelopeRelayed")  # people may read before it is recorded
    assert relayed > names.index("RelayAttempted")
    assert names.count("EnvelopeRelayed") == 1
    etsi = {line["event"]: line["etsi"] for line in told.timeline}
    assert etsi["EnvelopeSent"] == "SubmissionAcceptance"
    assert etsi["EnvelopeViewed"] == "ContentHandover"


def test_the_demo_command_prints_one_object_and_says_whether_all_held(
    tmp_path: Path,
) -> None:
    told = letterlock("demo", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert set(found) == {
        "contact", "page", "record", "envelope", "mail", "timeline", "checks",
    }  # fmt: skip
    assert set(found["mail"]) == {"headers", "text"}
    assert set(found["timeline"][0]) == {"event", "etsi", "at", "grade"}
    assert {
        "no_private_text_in_mail",
        "get_is_not_a_view",
        "viewed_at_grade",
        "foreign_record_refused",
        "unapproved_refused",
        "disabled_link_shut",
        "store_sealed_at_rest",
    } <= set(found["checks"])


def test_what_the_command_sends_it_can_tell_and_rebuild(tmp_path: Path) -> None:
    with a_system(tmp_path) as system:
        tom = system.ids.contacts["tom"]
    sent = letterlock(
        "send", "--as", "anna@harbourvale.example", "--contact", tom,
        "--page", "165104", "--record", "165100-204817", "--json", folder=tmp_path,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    envelope = json.loads(sent.stdout)["envelope"]
    told = letterlock("timeline", envelope, "--json", folder=tmp_path)
    assert [x["event"] for x in json.loads(told.stdout)["timeline"]] == [
        "LetterIssued",
        "EnvelopeSent",
    ]
    facts = letterlock("events", "--json", "--limit", "1000", folder=tmp_path)
    rows = json.loads(facts.stdout)["events"]
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert "Jones" not in facts.stdout
    assert letterlock("rebuild", "--quiet", folder=tmp_path).returncode == 0
    again = letterlock("timeline", envelope, "--json", folder=tmp_path)
    assert again.stdout == told.stdout


def test_the_command_refuses_in_one_line_and_a_hint(tmp_path: Path) -> None:
    with a_system(tmp_path) as system:
        tom = system.ids.contacts["tom"]
    refused = letterlock(
        "send", "--as", "anna@harbourvale.example", "--contact", tom,
        "--page", "165110", folder=tmp_path,
    )  # fmt: skip
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 2
    assert "not approved" in refused.stderr
    wrong_role = letterlock(
        "send", "--as", "ben@harbourvale.example", "--contact", tom,
        "--page", "165104", folder=tmp_path,
    )  # fmt: skip
    assert wrong_role.returncode == 1
    unknown = letterlock("timeline", "0" * 32, folder=tmp_path)
    assert unknown.returncode == 1
    assert "Traceback" not in unknown.stderr


def test_an_empty_organisation_begins_with_its_administrator(tmp_path: Path) -> None:
    first = letterlock(
        "init", "--admin", "Ms Ada Quill", "--email", "ada@office.example", "--json",
        folder=tmp_path,
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert "/sign-in/link/" in json.loads(first.stdout)["sign_in"]
    again = letterlock("sign-in", "ada@office.example", "--json", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "/sign-in/link/" in json.loads(again.stdout)["sign_in"]
    assert again.stdout != first.stdout
    nobody = letterlock("sign-in", "nobody@office.example", folder=tmp_path)
    assert nobody.returncode == 1
    second = letterlock(
        "init", "--admin", "Ms Ada Quill", "--email", "ada@office.example",
        folder=tmp_path,
    )  # fmt: skip
    assert second.returncode == 2
    assert "nothing was changed" in second.stderr
    elsewhere = str(worker_port_base())
    refused = letterlock("run", "--demo", "--port-base", elsewhere, folder=tmp_path)
    assert refused.returncode == 2
    assert "real organisation" in refused.stderr
