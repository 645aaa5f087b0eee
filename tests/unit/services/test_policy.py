"""The gates as the policy sets them, asked by everybody, as everybody, about all."""

from __future__ import annotations

from itertools import product
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ground import FRONTS, VOICES, rules_of
from services.policy import POLICY, SPEAKS_FOR, STAFF
from shared.codec import EventCodec
from shared.context import ActorKind, CallContext, service_context
from shared.errors import ActorNotAllowed, NotAllowed
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.gate import Gate
from shared.refusals import Refused
from tests.builders import a_clock, a_context

CALLERS = ("portal", "viewer", "envelope", "crm", "letters", "audit", "stranger")
KINDS = get_args(ActorKind)
ROLES = (*STAFF, "recipient", "anonymous", "service", "staff", "")
ANNA = "a" * 32
NAMES = (ANNA, "recipient", "unknown", "anonymous", "operator", *CALLERS)
OPERATIONS = sorted(POLICY)
DISTINCT = sorted({row[1:]: key for key, row in POLICY.items()}.values())


class Api:
    """Every operation of a service; all answer."""

    def __getattr__(self, operation: str) -> object:
        return lambda request, context: "done"


class House:
    """The gate of one service, as the composition root sets it up."""

    def __init__(self, service: str) -> None:
        self.store = CodedStore(MemoryJournal(), EventCodec(service))
        self.gate = Gate(
            service,
            rules_of(service),
            self.store,
            a_clock(),
            fronts=FRONTS,
            voices=VOICES,
        )

    def ask(self, caller: str, operation: str, context: CallContext) -> object:
        api = cast(Any, self.gate.around(Api(), caller=caller))
        return getattr(api, operation)(object(), context)

    @property
    def told_of(self) -> set[tuple[str, str]]:
        """Return whom the evidence names, and as what kind of actor."""
        return {(r.meta.actor_kind, r.meta.actor) for r in self.store.read_all()}


HONEST = {  # (caller, kind of actor): names, roles; the policy told once more
    ("portal", "staff"): ({ANNA}, {*STAFF, "anonymous"}),
    ("portal", "anonymous"): ({"anonymous"}, {"anonymous"}),
    ("portal", "service"): ({"portal", "operator"}, {"service", "compliance"}),
    ("viewer", "recipient"): ({"recipient"}, {"recipient"}),
    ("viewer", "anonymous"): ({"unknown"}, {"recipient"}),
    ("envelope", "staff"): ({ANNA}, {*STAFF}),
    ("envelope", "recipient"): ({"recipient"}, {"recipient"}),
    ("envelope", "anonymous"): ({"unknown"}, {"recipient"}),
    ("envelope", "service"): ({"envelope"}, {"service"}),
}
NOTHING: tuple[set[str], set[str]] = (set(), set())


def may_be(caller: str, context: CallContext) -> bool:
    """Say whether a caller speaks for an actor."""
    names, roles = HONEST.get((caller, context.actor_kind), NOTHING)
    return context.actor_id in names and context.role in roles


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("kind", KINDS)
def test_only_whom_a_caller_speaks_for_reaches_a_service(
    caller: str, kind: ActorKind
) -> None:
    for (service, operation), role, name in product(DISTINCT, ROLES, NAMES):
        house = House(service)
        context = a_context(actor_kind=kind, role=role, actor_id=name)
        _, callers, roles = POLICY[service, operation]
        if not may_be(caller, context):
            with pytest.raises(ActorNotAllowed):
                house.ask(caller, operation, context)
            assert house.told_of == {("service", caller)}
        elif caller in callers and role in roles:
            assert house.ask(caller, operation, context) == "done"
            assert house.told_of == set()
        else:
            with pytest.raises(NotAllowed) as refused:
                house.ask(caller, operation, context)
            assert type(refused.value) is NotAllowed
            assert house.told_of == {(kind, name)}


def test_every_way_in_that_the_policy_opens_can_be_gone() -> None:
    for (service, operation), (_, callers, roles) in POLICY.items():
        for caller in callers:
            claimed = {
                role
                for (speaker, _), (spoken, _) in SPEAKS_FOR.items()
                if speaker == caller
                for role in spoken
            }
            assert claimed & set(roles), (service, operation, caller)


@given(
    operation=st.sampled_from(OPERATIONS),
    kind=st.sampled_from(KINDS),
    role=st.text() | st.sampled_from(ROLES),
    name=st.text() | st.uuids().map(lambda one: one.hex) | st.sampled_from(NAMES),
)
def test_the_viewer_can_put_nothing_in_the_name_of_a_person(
    operation: tuple[str, str], kind: ActorKind, role: str, name: str
) -> None:
    house = House(operation[0])
    context = a_context(actor_kind=kind, role=role, actor_id=name)
    try:
        house.ask("viewer", operation[1], context)
    except NotAllowed:
        assert house.told_of <= {
            ("service", "viewer"),
            ("recipient", "recipient"),
            ("anonymous", "unknown"),
        }
    else:
        assert role == "recipient"
        assert name in {"recipient", "unknown"}


def test_a_viewer_taken_over_leaves_one_line_in_its_own_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House("envelope")
    claims = [
        a_context(actor_id=ANNA, role="sender"),
        a_context(actor_id=ANNA, role="admin"),
        a_context(actor_id=ANNA, role="recipient"),
        a_context(actor_kind="recipient", actor_id=ANNA, role="recipient"),
        a_context(actor_kind="service", actor_id="operator", role="recipient"),
        *(a_context(actor_id=f"{n:032x}", role="sender") for n in range(20)),
    ]
    for context in claims:
        with pytest.raises(ActorNotAllowed):
            house.ask("viewer", "knock", context)
    [line] = house.store.read_all()
    assert line.event == Refused(operation="knock", reason="actor_not_allowed")
    assert (line.meta.actor_kind, line.meta.actor) == ("service", "viewer")
    assert caplog.messages == [
        "viewer asked envelope.knock for an actor it does not speak for"
    ]


def test_the_operator_reads_a_timeline_as_an_officer() -> None:
    operator = service_context("operator")
    context = a_context(
        actor_kind=operator.actor_kind, actor_id=operator.actor_id, role="compliance"
    )
    assert House("audit").ask("portal", "timeline", context) == "done"
