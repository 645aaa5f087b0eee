"""The gate: who may call what, and which refusals become evidence."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shared.codec import EventCodec
from shared.context import CallContext, Done
from shared.errors import DomainError, NotAllowed
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.gate import Gate, Rule
from shared.ids import mint
from shared.refusals import Refused
from tests.builders import a_clock, a_context

ANNA = "a" * 32


@dataclass(frozen=True, kw_only=True)
class Ask:
    contact_id: str = "c" * 32


class DoorShut(DomainError):
    """The door is shut."""

    code = "test_door_shut"


class Desk:
    """Counts what reaches it."""

    def __init__(self) -> None:
        self.calls = 0

    def send(self, request: Ask, context: CallContext) -> Done:
        self.calls += 1
        raise DoorShut

    def look(self, request: Ask, context: CallContext) -> Done:
        self.calls += 1
        raise DoorShut

    def unlisted(self, request: Ask, context: CallContext) -> Done:
        self.calls += 1
        return Done(position=1)

    def serve(self, request: Ask, context: CallContext) -> Done:
        self.calls += 1
        return Done(position=7)


def a_rule(*, writes: bool, roles: tuple[str, ...] = ("sender",)) -> Rule:
    return Rule(
        callers=frozenset({"portal", "crm"}), roles=frozenset(roles), writes=writes
    )


class Setting:
    def __init__(self) -> None:
        self.store = CodedStore(MemoryJournal(), EventCodec("envelope"))
        self.clock = a_clock()
        self.desk = Desk()
        self.gate = Gate(
            "envelope",
            {
                "send": a_rule(writes=True),
                "look": a_rule(writes=False),
                "serve": a_rule(writes=False, roles=("sender", "recipient")),
            },
            self.store,
            self.clock,
            fronts=frozenset({"portal"}),
        )

    def desk_for(self, caller: str) -> Desk:
        return self.gate.around(self.desk, caller=caller)

    def refusals(self) -> list[Refused]:
        events = [record.event for record in self.store.read_all()]
        return [event for event in events if isinstance(event, Refused)]


def by(role: str) -> CallContext:
    return a_context(actor_id=ANNA, role=role)


def test_the_right_caller_in_the_right_role_passes() -> None:
    setting = Setting()
    assert setting.desk_for("portal").serve(Ask(), by("sender")).position == 7
    assert setting.refusals() == []


@pytest.mark.parametrize(
    ("caller", "role"), [("viewer", "sender"), ("portal", "author"), ("portal", "")]
)
def test_another_caller_or_role_is_refused_before_the_service(
    caller: str, role: str
) -> None:
    setting = Setting()
    with pytest.raises(NotAllowed):
        setting.desk_for(caller).serve(Ask(), by(role))
    assert setting.desk.calls == 0
    assert [r.reason for r in setting.refusals()] == ["not_allowed"]


def test_an_operation_without_a_rule_is_refused_to_all() -> None:
    setting = Setting()
    with pytest.raises(NotAllowed):
        setting.desk_for("portal").unlisted(Ask(), by("sender"))
    assert setting.desk.calls == 0


def test_a_refused_command_is_on_the_trail_with_contact_and_code() -> None:
    setting = Setting()
    with pytest.raises(DoorShut):
        setting.desk_for("portal").send(Ask(), by("sender"))
    assert setting.refusals() == [
        Refused(operation="send", reason="test_door_shut", contact_id="c" * 32)
    ]
    meta = next(iter(setting.store.read_all())).meta
    assert (meta.actor, meta.etsi) == (ANNA, "SubmissionRejection")


def test_a_refused_query_is_not() -> None:
    setting = Setting()
    with pytest.raises(DoorShut):
        setting.desk_for("portal").look(Ask(), by("sender"))
    assert setting.refusals() == []


def test_what_a_service_asked_on_the_way_is_told_once_by_the_outer_gate() -> None:
    setting = Setting()
    with pytest.raises(DoorShut):
        setting.desk_for("crm").send(Ask(), by("sender"))
    assert setting.refusals() == []


def test_hammering_without_a_sign_in_leaves_one_line_a_minute() -> None:
    setting = Setting()
    for _ in range(50):
        context = CallContext(
            command_id=mint(),
            correlation_id=mint(),
            actor_id="unknown",
            actor_kind="anonymous",
            role="nobody",
        )
        with pytest.raises(NotAllowed):
            setting.desk_for("portal").send(Ask(contact_id=mint().hex), context)
    assert len(setting.refusals()) == 1
