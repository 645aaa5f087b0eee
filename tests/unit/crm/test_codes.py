"""One-time codes: the laws, and the way a person meets them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.api import CodeMail
from services.crm.commands import CheckCode, IssueCode, ReadCode
from services.crm.errors import CodeLocked, ContactErased, ContactUnknown
from services.crm.events import CodeAccepted, CodeIssued, CodeRejected
from services.crm.model.codes import Codes, answer, asked, evolve_codes, issue
from shared.events import Event
from tests.builders import NOON, a_context
from tests.unit.crm.conftest import World

ID, ENVELOPE, BROWSER = "c" * 32, "e" * 32, "b" * 64
ACTS = st.tuples(
    st.sampled_from(["issue", "right", "wrong"]),
    st.sampled_from(["b1", "b2"]),
    st.sampled_from(["e1", "e2"]),
    st.integers(min_value=0, max_value=400),  # s that pass before it
)


@given(st.lists(ACTS, max_size=40))
def test_a_code_is_accepted_once_in_time_and_in_its_own_browser(
    acts: list[tuple[str, str, str, int]],
) -> None:
    codes: Codes = ()
    at = NOON
    history: list[tuple[datetime, str, str, Event]] = []
    for number, (act, browser, envelope, seconds) in enumerate(acts):
        at += timedelta(seconds=seconds)
        facts: list[Event] = []
        with suppress(CodeLocked):
            if act == "issue":
                ask = IssueCode(contact_id=ID, envelope_id=envelope, browser=browser)
                facts = issue(codes, ask, str(number), at)
            else:
                check = CheckCode(
                    contact_id=ID, envelope_id=envelope, browser=browser, answer=""
                )
                code = asked(codes, check, at)
                facts = answer(code, check, right=act == "right") if code else []
        history += [(at, browser, envelope, fact) for fact in facts]
        codes = reduce(evolve_codes, facts, codes)
    _judge(history)
    assert len(codes) <= 4


def _judge(history: list[tuple[datetime, str, str, Event]]) -> None:
    issued: dict[str, tuple[datetime, str, str]] = {}
    newest: dict[tuple[str, str], str] = {}
    used: set[str] = set()
    wrong: dict[str, int] = {}
    for at, browser, envelope, fact in history:
        match fact:
            case CodeIssued(code_id=code_id):
                lately = [
                    t for t, _, _ in issued.values() if at - t < timedelta(0, 600)
                ]
                assert len(lately) < 3
                issued[code_id] = (at, browser, envelope)
                newest[browser, envelope] = code_id
            case CodeAccepted(code_id=code_id) | CodeRejected(code_id=code_id):
                made, own_browser, own_envelope = issued[code_id]
                assert (browser, envelope) == (own_browser, own_envelope)
                assert at - made < timedelta(minutes=10)
                assert newest[browser, envelope] == code_id, "replaced by a newer one"
                assert code_id not in used
                assert wrong.get(code_id, 0) < 5
                if isinstance(fact, CodeAccepted):
                    used.add(code_id)
                else:
                    wrong[code_id] = wrong.get(code_id, 0) + 1
            case _:
                raise AssertionError(fact)


def test_a_fact_of_another_day_changes_no_code() -> None:
    assert evolve_codes((), Event()) == ()


def _issue(world: World, contact_id: str, browser: str = BROWSER) -> str:
    request = IssueCode(contact_id=contact_id, envelope_id=ENVELOPE, browser=browser)
    code_id: str = world.crm.issue_code(request, a_context()).ref
    return code_id


def _mail(world: World, contact_id: str, code_id: str) -> CodeMail:
    request = ReadCode(contact_id=contact_id, code_id=code_id)
    mail: CodeMail = world.crm.read_code(request, a_context())
    return mail


def _check(contact_id: str, typed: str, browser: str = BROWSER) -> CheckCode:
    return CheckCode(
        contact_id=contact_id, envelope_id=ENVELOPE, browser=browser, answer=typed
    )


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_code_typed_with_a_space_opens_once(world: World) -> None:
    tom = world.enter()
    mail = _mail(world, tom, _issue(world, tom))
    assert len(mail.code) == 6
    assert mail.code.isdigit()
    assert mail.email == "tom.jones@people.example"
    assert mail.expires_at == NOON + timedelta(minutes=10)
    typed, context = f" {mail.code[:3]} {mail.code[3:]}", a_context()
    assert world.crm.check_code(_check(tom, typed), context) is True
    assert world.crm.check_code(_check(tom, typed), context) is True, "a double press"
    assert world.crm.check_code(_check(tom, typed), a_context()) is False
    assert world.types(f"crm.codes-{tom}") == ["CodeIssued", "CodeAccepted"]


def test_issuing_again_by_the_same_command_is_the_same_code(world: World) -> None:
    tom, context = world.enter(), a_context()
    request = IssueCode(contact_id=tom, envelope_id=ENVELOPE, browser=BROWSER)
    assert world.crm.issue_code(request, context) == world.crm.issue_code(
        request, context
    )
    assert len(world.types(f"crm.codes-{tom}")) == 1


def test_five_wrong_answers_kill_a_code(world: World) -> None:
    tom = world.enter()
    code_id = _issue(world, tom)
    code = _mail(world, tom, code_id).code
    context = a_context()
    for _ in range(3):
        assert world.crm.check_code(_check(tom, _wrong(code)), context) is False
    for _ in range(4):
        assert world.crm.check_code(_check(tom, _wrong(code)), a_context()) is False
    with pytest.raises(CodeLocked):
        world.crm.check_code(_check(tom, code), a_context())
    with pytest.raises(ContactUnknown):
        _mail(world, tom, code_id)
    assert world.types(f"crm.codes-{tom}").count("CodeRejected") == 5


def test_a_code_is_worth_nothing_late_or_elsewhere_or_replaced(world: World) -> None:
    tom = world.enter()
    first = _mail(world, tom, _issue(world, tom)).code
    assert world.crm.check_code(_check(tom, first, "d" * 64), a_context()) is False
    second = _mail(world, tom, _issue(world, tom)).code
    if first != second:
        assert world.crm.check_code(_check(tom, first), a_context()) is False
    world.clock.move(timedelta(minutes=10))
    assert world.crm.check_code(_check(tom, second), a_context()) is False
    assert "CodeAccepted" not in world.types(f"crm.codes-{tom}")


def test_an_empty_or_strange_answer_is_no_fault(world: World) -> None:
    tom = world.enter()
    code = _mail(world, tom, _issue(world, tom)).code
    for typed in ("", "  ", "\ud800", "x" * 10_000, code * 7):
        assert world.crm.check_code(_check(tom, typed), a_context()) is False
    assert world.crm.check_code(_check(tom, code), a_context()) is True


def test_a_fourth_code_within_ten_minutes_is_refused(world: World) -> None:
    tom = world.enter()
    for browser in ("1", "2", "3"):
        _issue(world, tom, browser)
    with pytest.raises(CodeLocked):
        _issue(world, tom, "4")
    world.clock.move(timedelta(minutes=10))
    assert _issue(world, tom, "4")


def test_the_digits_of_a_code_are_written_nowhere(world: World) -> None:
    tom = world.enter()
    code = _mail(world, tom, _issue(world, tom)).code
    raws = [raw.body + raw.meta for raw in world.journal.read(f"crm.codes-{tom}")]
    assert raws
    assert not any(code.encode() in raw for raw in raws)


def test_nobody_gets_a_code_after_being_forgotten(world: World) -> None:
    tom = world.enter()
    code_id = _issue(world, tom)
    code = _mail(world, tom, code_id).code
    world.forget(tom)
    with pytest.raises(ContactErased):
        _issue(world, tom)
    with pytest.raises(ContactUnknown):
        _mail(world, tom, code_id)
    with pytest.raises(ContactUnknown):
        world.crm.check_code(_check(tom, code), a_context())
    with pytest.raises(ContactUnknown):
        _issue(world, "0" * 32)
