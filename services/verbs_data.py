"""What the verbs do that work on the data at hand, whether or not it is served."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from services.audit.commands import GetTimeline
from services.compose import Apis, Core, create_data, holds_organisation, opened
from services.console import Console
from services.envelope.commands import SendLetter
from services.ground import grounded, refuse_lost_keys
from services.policy import STAFF as ROLES
from services.portal.api import StaffCard
from services.portal.commands import InviteStaff, ListStaff
from services.portal.errors import StaffUnknown
from services.verbs import OPERATOR, sign_in_link
from shared.context import CallContext, service_context
from shared.events import Recorded
from shared.eventstore.port import PAGE, CorruptRecord, EventStore
from shared.fence import AlreadyFollowed
from shared.ids import mint
from shared.rebuild import head_of
from shared.rebuild import rebuild as rebuild_projection
from shared.settings import Settings, SettingsError


def init(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Make an empty organisation with one administrator.

    A folder that an earlier try left without anybody is taken up again.

    Raises:
        SettingsError: somebody is in the folder's organisation already, or the store
            on servers is not empty.
    """
    if not holds_organisation(settings.folder):
        refuse_lost_keys(settings)
        create_data(settings.folder)
    with _at_hand(settings) as core:
        apis = core.apis("portal")
        if apis.staff.all_staff(ListStaff(), service_context(OPERATOR)):
            message = f"{settings.data} holds an organisation already"
            raise SettingsError(f"{message}; nothing was changed")
        done = apis.staff.invite(
            InviteStaff(formal_name=flags.admin, email=flags.email, roles=("admin",)),
            service_context(OPERATOR),
        )
        link = sign_in_link(apis, settings, done.ref)
    console.say(f"An empty organisation lies in {settings.data}.")
    place = "".join(
        f" --{name} {value}"
        for name, value in (("data", flags.data), ("port-base", flags.port_base))
        if value is not None
    )
    console.say(f"Start it with: letterlock run{place}")
    console.result(
        f"Then sign in once with: {link}", {"staff": done.ref, "sign_in": link}
    )
    return 0


def sign_in(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Make a new one-time sign-in link for somebody who cannot get in."""
    with _at_hand(settings) as core:
        apis = core.apis("portal")
        link = sign_in_link(apis, settings, staff_by_email(apis, flags.email).staff_id)
    console.result(f"Sign in once with: {link}", {"sign_in": link})
    return 0


def send(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Send one letter as a named member of staff."""
    with _at_hand(settings) as core:
        apis = core.apis("portal")
        sender = staff_by_email(apis, flags.sender)
        sent = apis.envelope.send(
            SendLetter(
                contact_id=flags.contact,
                page=flags.page,
                record=flags.record,
                sender_name=sender.formal_name,
            ),
            _as_staff(sender, "sender"),
        )
    console.result(
        f"Accepted, reference {sent.reference}; the link lives until "
        f"{sent.expires_at:%A %d %B %Y, %H:%M} UTC. Envelope {sent.envelope_id}",
        {
            "envelope": sent.envelope_id,
            "reference": sent.reference,
            "expires_at": sent.expires_at,
        },
    )
    return 0


def timeline(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Print one envelope's facts, oldest first."""
    with _at_hand(settings) as core:
        context = replace(service_context(OPERATOR), role="compliance")
        trail = core.apis("portal").audit.timeline(
            GetTimeline(envelope_id=flags.envelope), context
        )
    lines = [
        {"event": x.event, "etsi": x.etsi, "at": x.at.isoformat(), "grade": x.grade}
        for x in trail.lines
    ]
    text = "\n".join(
        f"{line.at:%Y-%m-%d %H:%M:%S} UTC  {line.event:<22}"
        f"{'grade ' + str(line.grade) if line.grade is not None else '':<9}"
        f"{line.means or line.reason or ''}"
        for line in trail.lines
    )
    console.result(text, {"envelope": flags.envelope, "timeline": lines})
    return 0


def events(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Print facts in order: names, places and metadata, never private fields."""
    after, many = max(flags.after, 0), flags.limit if flags.last is None else flags.last
    many = min(max(many, 1), PAGE)
    with grounded(settings, services=()) as ground:  # needs nobody's keys
        if flags.last is None:
            found = ground.bare.read_all(after, many)
        else:
            found = last_facts(ground.bare, after, many)
    rows = [
        {
            "position": record.position,
            "stream": record.stream,
            "version": record.version,
            "event": record.event.type_name,
            "at": record.recorded_at.isoformat(),
            "actor": record.meta.actor,
            "role": record.meta.role,
            "contact": record.meta.contact,
            "envelope": record.meta.envelope,
        }
        for record in found
    ]
    text = "\n".join(
        f"{row['position']:>7}  {row['at']}  {row['event']:<22}{row['stream']}"
        for row in rows
    )
    console.result(text or "There is nothing after that position.", {"events": rows})
    return 0


def last_facts(store: EventStore, after: int, many: int) -> Sequence[Recorded]:
    """Return the last `many` facts later than `after`, oldest first.

    Cost: one page; all pages where the store's positions have gaps.
    """
    start = max(after, head_of(store) - many)
    with suppress(CorruptRecord):  # with gaps, that need be no position
        found = store.read_all(start, many)
        if len(found) == many or start == after:
            return found
    last: deque[Recorded] = deque(maxlen=many)
    while page := store.read_all(after, PAGE):
        last.extend(page)
        after = page[-1].position
    return list(last)


def rebuild(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Drop read models and make them anew from the facts, with progress."""
    done: list[str] = []
    with opened(settings) as core:
        known = {p.name: part for part in core.followed for p in part.projections}
        if unknown := set(flags.names) - known.keys():
            message = f"no projection {min(unknown)!r}; there are: " + ", ".join(
                sorted(known)
            )
            raise SettingsError(message)
        for name in flags.names or sorted(known):
            part = known[name]
            projection = next(p for p in part.projections if p.name == name)
            rebuild_projection(
                part.store,
                part.readmodel,
                projection,
                partial(console.progress, name),
                lock=settings.folder.run / f"follow-{part.service}.lock",
            )
            done.append(name)
            console.say(f"{name}: rebuilt")
    console.result(f"{len(done)} rebuilt", {"rebuilt": done})
    return 0


@contextmanager
def _at_hand(settings: Settings) -> Iterator[Core]:
    """Open the data, and follow it here unless another process does so already."""
    with opened(settings) as core:
        for follower in core.followers():
            try:
                follower.prepare()
                while follower.run_once():
                    pass
            except AlreadyFollowed:
                continue
            finally:
                follower.close()
        yield core


def staff_by_email(apis: Apis, email: str) -> StaffCard:
    """Return who has this address, however it is cased. Raises StaffUnknown."""
    everybody = apis.staff.all_staff(ListStaff(), service_context(OPERATOR))
    for card in everybody:
        if card.email.casefold() == email.casefold():
            return card
    raise StaffUnknown


def _as_staff(card: StaffCard, role: str) -> CallContext:
    command_id = mint()
    acting = role if role in card.roles else next(iter(card.roles), ROLES[0])
    return CallContext(
        command_id=command_id,
        correlation_id=command_id,
        actor_id=card.staff_id,
        actor_kind="staff",
        role=acting,
    )
