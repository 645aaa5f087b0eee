"""The gate: who may call what, and which refusals become evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.codec import EventCodec
from shared.context import CallContext, Done
from shared.errors import ActorNotAllowed, DomainError, NotAllowed
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.gate import Gate, Rule, Voice
from shared.ids import mint
from shared.refusals import Refused
from tests.builders import a_clock, a_context

ANNA = "a" * 32
ANYBODY = Voice(roles=frozenset({"sender", "author", ""}), names=frozenset())
UNKNOWN = Voice(roles=frozenset({"nobody"}), names=frozenset({"unknown"}))
VOICES = {
    ("portal", "staff"): ANYBODY,
    ("portal", "anonymous"): UNKNOWN,
    ("viewer", "staff"): ANYBODY,
    ("crm", "staff"): ANYBODY,
    ("door", "anonymous"): UNKNOWN,
}


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
            voices=VOICES,
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


@pytest.mark.parametrize(
    "claimed",
    [
        {"actor_kind": "staff", "actor_id": ANNA, "role": "sender"},
        {"actor_kind": "staff", "actor_id": ANNA, "role": "nobody"},
        {"actor_kind": "service", "actor_id": "operator", "role": "nobody"},
        {"actor_kind": "anonymous", "actor_id": "unknown", "role": "sender"},
        {"actor_kind": "anonymous", "actor_id": ANNA, "role": "nobody"},
    ],
    ids=lambda claimed: "/".join(claimed.values()),
)
def test_who_speaks_for_another_is_refused_in_its_own_name(
    claimed: dict[str, str],
) -> None:
    setting = Setting()
    with pytest.raises(ActorNotAllowed):
        setting.desk_for("door").serve(Ask(), a_context(**claimed))
    assert setting.desk.calls == 0
    [record] = setting.store.read_all()
    assert record.event == Refused(operation="serve", reason="actor_not_allowed")
    told = record.meta
    assert (told.actor_kind, told.actor, told.role) == ("service", "door", "service")


def test_a_persons_name_must_look_like_one() -> None:
    setting = Setting()
    for name in ("operator", "", ANNA.upper(), ANNA + "\n", ANNA[1:]):
        with pytest.raises(ActorNotAllowed):
            setting.desk_for("portal").serve(Ask(), a_context(actor_id=name))


def test_made_up_names_leave_one_line_a_minute_for_each_caller() -> None:
    setting = Setting()
    for _ in range(2):
        for caller in ("door", "nobody we know"):
            for _ in range(20):
                invented = a_context(actor_id=mint().hex, role="sender")
                with pytest.raises(ActorNotAllowed):
                    setting.desk_for(caller).send(Ask(), invented)
        setting.clock.move(timedelta(minutes=1))
    told = [record.meta.actor for record in setting.store.read_all()]
    assert told == ["door", "nobody we know"] * 2
