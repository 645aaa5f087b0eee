"""Conditions owned by another service: whatever the race, the store's order decides."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

import pytest

from services.crm.commands import (
    ForgetContact,
    PermitSend,
    SetStop,
)
from services.crm.errors import ContactHasStopped
from services.envelope import events as facts
from services.envelope.commands import (
    ReadLetter,
    SetExpiry,
)
from services.envelope.errors import (
    EnvelopeDisabled,
    EnvelopeExpired,
    EnvelopeUnknown,
    ExpiryInvalid,
)
from services.letters.commands import WithdrawPage
from services.letters.errors import LetterIsWithdrawn
from shared.context import service_context
from shared.errors import DomainError
from shared.events import Recorded
from shared.ids import mint
from tests.journeys.deeds import DEEDS, Deed, a_stop
from tests.journeys.judge import all_facts, judge, judge_mails
from tests.journeys.post import token_of
from tests.journeys.town import (
    BROWSER,
    PowerCut,
    Town,
    a_town,
    race,
)
from tests.waiting import LONG, until

FULL: Final = os.environ.get("LETTERLOCK_SOAK") == "full"
ROUNDS: Final = 10_000 if FULL else 60
SEED: Final = 20_261_125

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with a_town(tmp_path_factory.mktemp("town") / "data") as town:
        yield town


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@pytest.fixture
def rng() -> Random:
    return Random(SEED)  # noqa: S311  # picks schedules, keeps no secret


def names(history: list[Recorded]) -> Counter[str]:
    return Counter(record.event.type_name for record in history)


def of_envelope(town: Town, envelope_id: str) -> list[Recorded]:
    history = all_facts(town.core.store)
    return [record for record in history if record.meta.envelope == envelope_id]


def assert_lawful(town: Town) -> None:
    history = all_facts(town.core.store)
    assert judge(history) == []
    assert judge_mails(history, town.mailbox.mails()) == []


# Pressing twice ---------------------------------------------------------------------


def test_a_double_press_sends_one_letter_in_one_mail(
    town: Town, pool: ThreadPoolExecutor, rng: Random
) -> None:
    for _ in range(5):
        contact, press = town.a_contact(), town.by("sender")
        send = partial(town.send, contact, context=press)
        sent = race(pool, rng, *[send] * 12)
        assert len({str(one) for one in sent}) == 1, sent
        envelope = town.send(contact, context=press).envelope_id
        town.post(envelope)
        race(pool, rng, *[town.core.envelope.postman.run_once] * 4)
        assert names(of_envelope(town, envelope)) == {
            "LetterIssued": 1,
            "EnvelopeSent": 1,
            "LetterConsigned": 1,
            "SendPermitted": 1,
            "RelayAttempted": 1,
            "EnvelopeRelayed": 1,
        }
        assert len(town.mails_of(envelope)) == 1
    assert_lawful(town)


def test_postmen_at_the_same_time_send_each_mail_once(
    town: Town, pool: ThreadPoolExecutor, rng: Random
) -> None:
    for _ in range(5):
        envelopes = [town.send(town.a_contact()).envelope_id for _ in range(3)]
        town.caught_up()
        race(pool, rng, *[town.core.envelope.postman.run_once] * 4)
        for envelope in envelopes:
            town.post(envelope)
            found = names(of_envelope(town, envelope))
            assert (found["RelayAttempted"], found["EnvelopeRelayed"]) == (1, 1)
    assert_lawful(town)


# Trying again after a crash ---------------------------------------------------------


def caused(town: Town, press: UUID) -> Counter[str]:
    """Return what a command wrote, by the command's own correlation id."""
    history = all_facts(town.core.store)
    return names([fact for fact in history if fact.meta.correlation_id == press])


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_a_command_cut_off_at_any_append_gives_the_first_result_when_repeated(
    town: Town, deed: Deed
) -> None:
    clean = mint()
    deed.begin(town)(clean)
    wanted = caused(town, clean)
    assert wanted.total() >= 1
    cuts = 0
    for after in (False, True):
        for appends in range(wanted.total() + 1):
            do, press = deed.begin(town), mint()
            town.journal.arm(appends, after=after)
            with suppress(PowerCut):
                do(press)
            if town.journal.disarm():
                break
            cuts += 1
            first = do(press)
            assert do(press) == first
            assert caused(town, press) == wanted, (appends, after)
    assert cuts >= 2


@pytest.mark.parametrize("place", ["send.before_append", "send.after_append"])
def test_a_sending_cut_off_at_a_failpoint_is_one_sending_when_repeated(
    town: Town, place: str
) -> None:
    contact, press = town.a_contact(), town.by("sender")
    town.failpoints.name = place
    with pytest.raises(PowerCut):
        town.send(contact, context=press)
    first = town.send(contact, context=press)
    assert town.send(contact, context=press) == first
    town.post(first.envelope_id)
    found = names(of_envelope(town, first.envelope_id))
    assert (found["LetterIssued"], found["EnvelopeSent"]) == (1, 1)
    assert_lawful(town)


@pytest.mark.parametrize(
    ("place", "mails", "attempts", "permits"),
    [
        ("relay.before_intent", 1, 1, 2),
        ("relay.after_intent", 1, 2, 2),
        ("relay.after_250", 2, 2, 2),
        ("relay.after_record", 1, 1, 1),
    ],
)
def test_a_postman_cut_off_anywhere_sends_one_mail_or_a_labelled_repeat(
    town: Town, place: str, mails: int, attempts: int, permits: int
) -> None:
    town.drain()
    envelope = town.send(town.a_contact()).envelope_id
    town.caught_up()
    town.failpoints.name = place
    with pytest.raises(PowerCut):
        until(town.core.envelope.postman.run_once)
    until(partial(is_settled, town, envelope), "the record of the mail")
    town.caught_up()
    assert town.core.envelope.postman.run_once() == 0
    found = names(of_envelope(town, envelope))
    assert len(town.mails_of(envelope)) == mails
    assert (found["RelayAttempted"], found["SendPermitted"]) == (attempts, permits)
    assert len({m.message["Message-ID"] for m in town.mails_of(envelope)}) == 1
    assert_lawful(town)


@pytest.mark.parametrize("place", ["open.before_append", "open.after_append"])
def test_an_opening_cut_off_is_one_view_when_repeated(town: Town, place: str) -> None:
    envelope, token = town.an_open_door()
    press = town.visitor()
    town.failpoints.name = place
    with pytest.raises(PowerCut):
        town.open(token, press)
    first = town.open(token, press)
    assert town.open(token, press) == first
    found = names(of_envelope(town, envelope))
    assert (found["EnvelopeViewed"], found["LetterShown"]) == (1, 0)


def test_what_was_cut_off_is_repeated_in_another_life_of_the_process(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    with a_town(folder) as town:
        contact, press = town.a_contact(), town.by("sender")
        town.failpoints.name = "send.after_append"
        with pytest.raises(PowerCut):
            town.send(contact, context=press)
    with a_town(folder) as town:
        first = town.send(contact, context=press)
        assert town.send(contact, context=press) == first
        town.post(first.envelope_id)
        assert names(of_envelope(town, first.envelope_id))["EnvelopeSent"] == 1
        assert_lawful(town)


# Races ------------------------------------------------------------------------------


def assert_expected(results: list[object], *refusals: type[DomainError]) -> None:
    odd = [
        one
        for one in results
        if isinstance(one, BaseException) and not isinstance(one, refusals)
    ]
    assert odd == []


def rounds(won: Counter[bool]) -> Iterator[int]:
    """Count the rounds of a race: as many as there are, or until each side has won."""
    for number in range(20 * ROUNDS):
        if number >= ROUNDS and won[True] and won[False]:
            return
        yield number


def test_nothing_is_issued_after_its_page_was_withdrawn(
    town: Town, pool: ThreadPoolExecutor, rng: Random
) -> None:
    contacts = [town.a_contact() for _ in range(3)]
    won: Counter[bool] = Counter()
    for _ in rounds(won):
        page = town.a_page()
        request = WithdrawPage(page=page, reason="Out of date.")
        sends = [partial(town.send, who, page) for who in contacts]
        results = race(
            pool,
            rng,
            *sends,
            partial(town.staff.letters.withdraw, request, town.by("executive")),
        )
        assert_expected(results, LetterIsWithdrawn)
        assert not isinstance(results[-1], BaseException)
        won.update(not isinstance(one, BaseException) for one in results[:-1])
    assert won[True], "no sending was ever first"
    assert won[False], "no withdrawal was ever first"
    assert judge(all_facts(town.core.store)) == []


def test_nothing_is_permitted_after_a_stop(
    town: Town, pool: ThreadPoolExecutor, rng: Random
) -> None:
    crm = town.core.apis("envelope").crm
    won: Counter[bool] = Counter()

    def permit(contact: str, attempt: int) -> Callable[[], object]:
        request = PermitSend(
            envelope_id=mint().hex,
            contact_id=contact,
            purpose=rng.choice(("service", "marketing")),
            attempt=attempt,
        )
        return lambda: crm.permit(request, service_context("envelope"))

    for _ in rounds(won):
        contact = town.a_contact()
        stop = a_stop(contact, stopped=True, stop=rng.choice(("messages", "all")))
        lift = SetStop(
            contact_id=contact,
            stop=stop.stop,
            stopped=False,
            door="portal",
            wording="v1",
        )
        acts = [permit(contact, number) for number in range(1, 4)]
        acts += [
            partial(town.staff.crm.set_stop, stop, town.by("sender")),
            partial(town.staff.crm.set_stop, lift, town.by("sender")),
        ]
        results = race(pool, rng, *acts)
        assert_expected(results, ContactHasStopped)
        won.update(not isinstance(one, BaseException) for one in results[:3])
    assert won[True], "no permit was ever first"
    assert won[False], "no stop was ever first"
    assert judge(all_facts(town.core.store)) == []


@pytest.mark.parametrize("way", ["stop", "forget"])
def test_no_mail_leaves_without_a_permit_older_than_the_stop(
    town: Town, pool: ThreadPoolExecutor, rng: Random, way: str
) -> None:
    town.drain()
    postman = town.core.envelope.postman
    came: Counter[bool] = Counter()
    for _ in rounds(came):
        contact = town.a_contact()
        envelope = town.send(contact).envelope_id
        forget = ForgetContact(contact_id=contact, reason="person_asked")

        def against(contact: str = contact, forget: ForgetContact = forget) -> object:
            if way == "forget":
                return town.staff.crm.forget(forget, town.by("compliance"))
            stop = a_stop(contact, stopped=True)
            return town.staff.crm.set_stop(stop, town.by("sender"))

        if rng.random() < 0.5:
            town.caught_up()
        results = race(pool, rng, postman.run_once, against, spread=0.03)
        assert_expected(results)
        until(partial(is_settled, town, envelope), "the end of the attempt")
        found = names(of_stream(town, envelope))
        assert found["EnvelopeRelayed"] + found["RelayFailed"] == 1
        came[bool(found["EnvelopeRelayed"])] += 1
    print(f"{way}: {came[True]} mails were first, {came[False]} never left")  # noqa: T201
    assert came[True]
    assert came[False]
    assert_lawful(town)


def of_stream(town: Town, envelope_id: str) -> list[Recorded]:
    return list(town.core.store.read(f"envelope.envelope-{envelope_id}"))


def is_settled(town: Town, envelope_id: str) -> bool:
    """Let the postman go round; say whether the envelope's mail is out, or never is."""
    town.core.envelope.postman.run_once()
    ends = {"EnvelopeRelayed", "RelayFailed"}
    return bool(ends & names(of_stream(town, envelope_id)).keys())


def has_ended(town: Town, envelope_id: str) -> bool:
    return any(
        isinstance(record.event, facts.EnvelopeExpired)
        or (
            isinstance(record.event, facts.EnvelopeExpiryChanged)
            and record.event.expires_at <= record.recorded_at
        )
        for record in of_stream(town, envelope_id)
    )


def test_an_envelope_is_never_shown_after_it_was_switched_off(
    town: Town, pool: ThreadPoolExecutor, rng: Random
) -> None:
    won: Counter[bool] = Counter()
    for _ in rounds(won):
        envelope, token = town.an_open_door()
        past = town.core.clock.now() - timedelta(days=rng.choice((0, 1, 4000)))
        end = SetExpiry(envelope_id=envelope, expires_at=past, reason="mistake")

        def view(token: str = token) -> object:
            ticket = town.open(token).ticket
            read = ReadLetter(ticket=ticket, browser=BROWSER)
            letters = [
                town.public.envelope.read(read, town.visitor()) for _ in range(2)
            ]
            return letters[-1].html

        results = race(
            pool,
            rng,
            view,
            view,
            partial(town.staff.envelope.set_expiry, end, town.by("sender")),
            spread=0.05,
        )
        assert_expected(results, EnvelopeDisabled)
        won.update(not isinstance(one, BaseException) for one in results[:2])
        with pytest.raises(EnvelopeDisabled):
            town.open(token)
    print(f"views that were first: {won[True]}, refused: {won[False]}")  # noqa: T201
    assert won[True]
    assert won[False]
    assert judge(all_facts(town.core.store)) == []


def has_expired(town: Town, read: ReadLetter) -> bool:
    """Read the letter once more; say whether it is too late for that."""
    try:
        town.public.envelope.read(read, town.visitor())
    except EnvelopeExpired:
        return True
    return False


def test_an_envelope_is_never_shown_after_its_time(
    town: Town, pool: ThreadPoolExecutor, rng: Random
) -> None:
    for _ in range(ROUNDS):
        envelope, token = town.an_open_door()
        ticket = town.open(token).ticket
        soon = town.core.clock.now() + timedelta(milliseconds=rng.randint(3, 30))
        end = SetExpiry(envelope_id=envelope, expires_at=soon, reason="mistake")
        read = ReadLetter(ticket=ticket, browser=BROWSER)

        def view(read: ReadLetter = read) -> None:
            end = time.monotonic() + LONG
            while not has_expired(town, read):
                assert time.monotonic() < end, "it never ended"

        def expire(envelope: str = envelope) -> object:
            work = town.core.envelope.expirer.run_once
            return until(lambda: work() or has_ended(town, envelope), "the end")

        def shorten(end: SetExpiry = end) -> None:
            with suppress(ExpiryInvalid):
                town.staff.envelope.set_expiry(end, town.by("sender"))

        results = race(pool, rng, view, shorten, expire)
        assert_expected(results, EnvelopeDisabled)
    assert judge(all_facts(town.core.store)) == []


def test_two_hundred_openings_at_once_are_one_first_view(
    town: Town, rng: Random
) -> None:
    envelope, token = town.an_open_door()
    with ThreadPoolExecutor(200) as crowd:
        results = race(crowd, rng, *[lambda: town.open(token)] * 200)
    assert_expected(results)
    found = names(of_stream(town, envelope))
    assert (found["EnvelopeViewed"], found["LetterShown"]) == (1, 199)
    assert judge(all_facts(town.core.store)) == []


def test_once_forgetting_is_acknowledged_no_letter_is_opened_or_read(
    tmp_path: Path,
) -> None:
    with a_town(tmp_path / "data") as town:
        contact = town.a_contact()
        envelope = town.send(contact).envelope_id
        token = token_of(town.post(envelope))
        read = ReadLetter(ticket=town.open(token).ticket, browser=BROWSER)
        town.public.envelope.read(read, town.visitor())
        for thread in town.threads:  # as if the destruction of keys were late
            thread.stop()
        forget = ForgetContact(contact_id=contact, reason="person_asked")
        town.staff.crm.forget(forget, town.by("compliance"))
        with pytest.raises(EnvelopeUnknown):
            town.public.envelope.read(read, town.visitor())
        with pytest.raises(EnvelopeUnknown):
            town.open(token)
