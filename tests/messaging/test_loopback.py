"""All services over sealed messages, without a broker: the main job and its rules."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.audit.commands import GetTimeline, GetTrail
from services.compose import Apis, create_data
from services.crm.commands import CreateContact, GetContact, SearchContacts
from services.crm.errors import ContactInvalid, ContactUnknown
from services.distributed import PROTOCOLS, Talk, desk_of, stood_up, talk_over
from services.envelope.commands import Knock, SendLetter
from services.portal.commands import InviteStaff, ListStaff
from shared.clock import ManualClock, SystemClock, from_micros, micros
from shared.context import CallContext, service_context
from shared.errors import BY_CODE, ActorNotAllowed, DomainError, Fault, NotAllowed
from shared.follow import Follower
from shared.ids import mint
from shared.messaging import answer
from shared.messaging.client import Client, Patience, RemoteFault
from shared.messaging.label import Label, Refusal
from shared.messaging.sealed import Window
from shared.messaging.wire import encode_request, operations_of
from shared.settings import Settings
from tests.messaging.loopback import Loopback

CANARY = "Zaphira"


@dataclass
class Wired:
    talk: Talk
    carrier: Loopback
    followers: list[Follower]

    def apis(self, caller: str) -> Apis:
        return self.talk.apis(caller)

    def follow(self) -> None:
        for follower in self.followers:
            while follower.run_once():
                pass


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    settings = Settings.from_env({"LETTERLOCK_DATA": str(tmp_path / "data")})
    create_data(settings.folder)
    carrier = Loopback()
    talk = talk_over(carrier, settings)
    with ExitStack() as stack:
        followers = []
        for service in PROTOCOLS:
            ground, part = stack.enter_context(stood_up(service, settings, talk))
            carrier.desks[service] = desk_of(service, ground, part, talk)
            followers.append(part.followed.follower(settings.folder.run))
            followers[-1].prepare()
            stack.callback(followers[-1].close)
        yield Wired(talk=talk, carrier=carrier, followers=followers)


def sender() -> CallContext:
    command = mint()
    return CallContext(
        command_id=command,
        correlation_id=command,
        actor_id="a" * 32,
        actor_kind="staff",
        role="sender",
    )


PERSON = CreateContact(
    title="Ms", given=CANARY, family="Quill", email="z@example.org", postcode="AB1 2CD"
)


def test_a_command_and_a_query_go_over_and_come_back(wired: Wired) -> None:
    crm = wired.apis("portal").crm
    context = sender()
    done = crm.create(PERSON, context)
    assert crm.create(PERSON, context) == done  # the same press again
    wired.follow()
    found = crm.search(SearchContacts(query=CANARY, after=done.position), sender())
    assert [row.formal_name for row in found.rows] == [f"Ms {CANARY} Quill"]


def test_errors_cross_by_code_with_their_hint(wired: Wired) -> None:
    crm = wired.apis("portal").crm
    with pytest.raises(ContactUnknown) as refused:
        crm.contact(GetContact(contact_id="f" * 32), sender())
    assert refused.value.http_status == 404
    with pytest.raises(ContactInvalid):
        crm.create(CreateContact(email="no address"), sender())


def test_the_gate_stands_on_the_callees_side(wired: Wired) -> None:
    with pytest.raises(NotAllowed):
        wired.apis("portal").crm.create(PERSON, replace(sender(), role="author"))
    staff = wired.apis("portal").staff
    staff.invite(
        InviteStaff(formal_name="Mr A B", email="a@b.example", roles=("admin",)),
        service_context("operator"),
    )
    wired.follow()
    assert len(staff.all_staff(ListStaff(), service_context("operator"))) == 1


def test_a_service_without_a_pair_key_cannot_even_ask(wired: Wired) -> None:
    with pytest.raises(Fault):
        wired.apis("viewer").crm.create(PERSON, sender())
    assert wired.carrier.seen == []


def test_the_viewer_cannot_name_an_envelope_to_hear_its_history(wired: Wired) -> None:
    with pytest.raises(Fault):  # no pair of keys with the evidence service
        wired.apis("viewer").audit.timeline(GetTimeline(envelope_id="e" * 32), sender())
    assert wired.carrier.seen == []


def test_the_viewer_cannot_send_whatever_it_signs(wired: Wired) -> None:
    with pytest.raises(NotAllowed):
        wired.apis("viewer").envelope.send(
            SendLetter(contact_id="c" * 32, page="100001", sender_name="Ms A B"),
            sender(),
        )


def test_a_viewer_taken_over_can_put_nothing_on_the_trail_in_a_persons_name(
    wired: Wired,
) -> None:
    public, anna = wired.apis("viewer").envelope, "a" * 32
    knock = Knock(token="a" * 32)
    claims = [
        replace(sender(), actor_kind=kind, actor_id=name, role=role)
        for kind, name, role in (
            ("staff", anna, "sender"),
            ("staff", anna, "admin"),
            ("staff", anna, "recipient"),
            ("recipient", anna, "recipient"),
            ("service", "operator", "recipient"),
            ("service", "viewer", "service"),
        )
    ] + [replace(sender(), actor_id=mint().hex) for _ in range(20)]
    for claim in claims:
        with pytest.raises(ActorNotAllowed):
            public.knock(knock, claim)
    wired.follow()
    officer = replace(sender(), role="compliance")
    trail = wired.apis("portal").audit.trail(GetTrail(type_name="Refused"), officer)
    told = {(line.actor_kind, line.actor, line.reason) for line in trail.lines}
    assert told == {("service", "viewer", "actor_not_allowed")}
    assert len(trail.lines) <= 2  # one a minute, and a minute may have ended


def test_nothing_readable_crosses(wired: Wired) -> None:
    wired.apis("portal").crm.create(PERSON, sender())
    forms = [CANARY.encode(), CANARY.encode().hex().encode()]
    forms.append(base64.b64encode(CANARY.encode())[:8])
    bodies = b"".join(body for _, body in wired.carrier.seen)
    assert len(wired.carrier.seen) == 2
    assert not [form for form in forms if form in bodies]


def test_an_altered_label_or_body_is_forged(wired: Wired) -> None:
    wired.apis("portal").crm.create(PERSON, sender())
    label, body = wired.carrier.seen[0]
    desk = wired.carrier.desks["crm"]
    lies = [
        replace(label, caller="envelope"),
        replace(label, operation="change"),
        replace(label, message_id=mint()),
        replace(label, command_id=mint()),
        replace(label, expires=label.expires + 1),
        replace(label, reply_to="reply.viewer.1"),
    ]
    for lie in lies:
        with pytest.raises(Refusal, match="forged"):
            desk.judge(lie, body, redelivered=False)
    for altered in (body[:-1], b"", body[:-1] + bytes([body[-1] ^ 1]), b"\0" * 40):
        with pytest.raises(Refusal, match="forged"):
            desk.judge(label, altered, redelivered=False)


def test_a_message_counts_once_and_an_answer_is_no_question(wired: Wired) -> None:
    wired.apis("portal").crm.create(PERSON, sender())
    (label, body), (answer, sealed) = wired.carrier.seen
    desk = wired.carrier.desks["crm"]
    with pytest.raises(Refusal, match="replayed"):
        desk.judge(label, body, redelivered=False)
    assert desk.judge(label, body, redelivered=True).request == PERSON
    for wrong in (answer, replace(answer, direction="request")):
        with pytest.raises(Refusal):
            desk.judge(wrong, sealed, redelivered=False)


def test_time_bounds_a_message(wired: Wired) -> None:
    crm = operations_of(PROTOCOLS["crm"])["create"]
    context = sender()
    for shift, cause in (
        (timedelta(seconds=-1), "late"),
        (timedelta(hours=1), "too_far"),
    ):
        label = Label(
            direction="request",
            caller="portal",
            service="crm",
            operation="create",
            message_id=mint(),
            command_id=context.command_id,
            expires=micros(SystemClock().now() + shift),
            reply_to="reply.portal.1",
        )
        body = wired.talk.seals.seal(label, encode_request(crm, PERSON, context))
        with pytest.raises(Refusal, match=cause):
            wired.carrier.desks["crm"].judge(label, body, redelivered=False)


def test_the_window_forgets_what_can_no_longer_be_replayed() -> None:
    clock = ManualClock(datetime(2026, 3, 2, tzinfo=UTC))
    window = Window(clock)

    def label() -> Label:
        return Label(
            direction="request",
            caller="portal",
            service="crm",
            operation="create",
            message_id=mint(),
            command_id=mint(),
            expires=micros(clock.now() + timedelta(seconds=30)),
            reply_to="reply.portal.1",
        )

    for _ in range(5):
        window.admit(label(), redelivered=False)
    assert len(window._seen) == 5
    clock.move(timedelta(seconds=66))
    window.admit(label(), redelivered=False)
    assert len(window._seen) == 1


def test_what_is_late_before_it_begins_is_not_begun(wired: Wired) -> None:
    wired.apis("portal").crm.create(PERSON, sender())
    label, body = wired.carrier.seen[0]
    desk = wired.carrier.desks["crm"]
    asked = desk.judge(label, body, redelivered=True)
    begun: list[object] = []
    desk._guarded = begun.append
    desk._clock = ManualClock(from_micros(label.expires))
    with pytest.raises(Refusal, match="late") as refused:
        desk.carry_out(label, "create", asked.request, asked.context)
    assert begun == []
    outcome = desk.outcome(asked, None, refused.value)
    assert (outcome.cause, outcome.answer) == ("late", answer.failed())


def test_a_call_out_of_time_is_a_fault(wired: Wired) -> None:
    talk = wired.talk
    client = Client("portal", talk.carrier, talk.seals, talk.clock, Patience(0))
    crm = client.of(PROTOCOLS["crm"], "crm")
    with pytest.raises(RemoteFault):
        crm.create(PERSON, sender())
    assert wired.carrier.seen == []


CODES = sorted(
    code
    for code, kind in BY_CODE.items()
    if not kind.__module__.startswith("shared.web")
)


@pytest.mark.parametrize("code", CODES)
def test_every_error_keeps_its_class_over_the_wire(wired: Wired, code: str) -> None:
    class Refusing:
        def create(self, request: object, context: object) -> object:
            raise BY_CODE[code]

    wired.carrier.desks["crm"]._guarded = lambda caller: Refusing()
    with pytest.raises(DomainError) as refused:
        wired.apis("portal").crm.create(PERSON, sender())
    assert type(refused.value) is BY_CODE[code]
    assert str(refused.value) == str(BY_CODE[code]())


def test_a_fault_and_a_mistake_are_tried_again_then_told_as_faults(
    wired: Wired, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    class Failing:
        def create(self, request: object, context: object) -> object:
            tries.append(1)
            raise ValueError(CANARY)

    wired.carrier.desks["crm"]._guarded = lambda caller: Failing()
    with pytest.raises(RemoteFault):
        wired.apis("portal").crm.create(PERSON, sender())
    assert len(tries) == 3
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text
