"""What each verb of the `letterlock` command does."""

from __future__ import annotations

import argparse
import errno
import logging
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from services.audit.commands import GetTimeline
from services.compose import (
    Apis,
    Core,
    create_data,
    holds_organisation,
    opened,
    portal_url,
)
from services.console import Console
from services.demo_data import STAFF, DemoIds, DemoOrganisation
from services.embedded import Running, running
from services.envelope.commands import SendLetter
from services.policy import STAFF as ROLES
from services.portal.api import StaffCard
from services.portal.commands import InviteStaff, ListStaff, MakeSignInLink
from services.portal.errors import StaffUnknown
from services.walk import Walk, free_port_base, sealed_at_rest
from shared.context import CallContext, service_context
from shared.errors import Fault
from shared.eventstore.port import PAGE
from shared.failpoints import KillAt
from shared.fence import AlreadyFollowed
from shared.ids import mint
from shared.rebuild import rebuild as rebuild_projection
from shared.settings import Settings, SettingsError

Verb = Callable[[argparse.Namespace, Settings, Console], int]
OPERATOR: Final = "operator"


def run(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Start everything and stay until interrupted."""
    log_to_standard_error()
    demo_wanted = flags.demo or settings.demo
    if demo_wanted:
        prepare_demo(settings)
    failpoints = KillAt(flags.failpoint) if flags.failpoint else None
    with running(settings, failpoints=failpoints) as system:
        console.say("Letterlock is running on this machine only.")
        console.say()
        console.say(f"  Portal, for staff        {system.portal}")
        console.say(f"  Viewer, for recipients   {system.viewer}")
        if settings.built_in_mailbox:
            console.say(f"  Mailbox, for trying out  {system.mailbox_address}")
        console.say()
        if demo_wanted:
            ids = enter_demo(system, settings)
            console.say("Sign in once with one of these links (each lasts a day):")
            console.say()
            for person in STAFF:
                link = sign_in_link(system.apis, settings, ids.staff[person.key])
                console.say(f"  {person.role:<11}{person.formal_name:<20}{link}")
            console.say()
        else:
            console.say("Staff sign in there with their e-mail address and password.")
            console.say()
        console.say("Stop with Ctrl+C.")
        _stay()
    return 0


def init(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Make an empty organisation with one administrator.

    A folder that an earlier try left without anybody is taken up again.

    Raises:
        SettingsError: somebody is in the folder's organisation already.
    """
    if not holds_organisation(settings.folder):
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
        link = sign_in_link(apis, settings, _staff_by_email(apis, flags.email).staff_id)
    console.result(f"Sign in once with: {link}", {"sign_in": link})
    return 0


def demo(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Do the main job over real HTTP and SMTP on a temporary folder; check it."""
    del flags
    folder = Path(tempfile.mkdtemp(prefix="letterlock-demo-"))
    base = free_port_base()
    settings = replace(
        Settings.from_env(
            {
                "LETTERLOCK_DATA": str(folder / "data"),
                "LETTERLOCK_PORT_BASE": str(base),
                "LETTERLOCK_UNDO_SECONDS": "1",
            }
        ),
        demo=True,
    )
    try:
        prepare_demo(settings)
        with running(settings) as system:
            ids = enter_demo(system, settings)
            link = sign_in_link(system.apis, settings, ids.staff["anna"])
            told = Walk(system, ids, link, console).go()
        console.say("The data folder is searched for private words")
        told.checks["store_sealed_at_rest"] = sealed_at_rest(settings.data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.result(told.text(), asdict(told))
    return 0 if all(told.checks.values()) else 1


def send(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Send one letter as a named member of staff."""
    with _at_hand(settings) as core:
        apis = core.apis("portal")
        sender = _staff_by_email(apis, flags.sender)
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
    with opened(settings) as core:
        found = core.store.read_all(max(flags.after, 0), min(max(flags.limit, 1), PAGE))
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


def explain(error: Fault | OSError) -> tuple[str, str]:
    """Return what went wrong as one sentence and a hint."""
    if isinstance(error, AlreadyFollowed):
        return (
            "another process works on this data folder already",
            "Stop that process first, or choose another folder with --data.",
        )
    if isinstance(error, Fault):
        told = str(error) or (type(error).__doc__ or "").strip()
        return told, "Nothing was half done; try again."
    if error.errno == errno.EADDRINUSE:
        return (
            "a port is taken, perhaps by a Letterlock that runs already",
            "Stop that program, or choose other ports: letterlock run --port-base 9400",
        )
    return (error.strerror or type(error).__name__, "Check the data folder's disk.")


def _stay() -> None:
    """Wait to be interrupted; then let nothing interrupt the stopping."""
    try:
        signal.pause()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def enter_demo(system: Running, settings: Settings) -> DemoIds:
    """Enter what is missing of the demo organisation."""
    seed = UUID((settings.data / "demo-seed").read_text().strip())
    apis = system.apis
    return DemoOrganisation(
        staff=apis.staff,
        crm=apis.crm,
        letters=apis.letters,
        envelope=apis.envelope,
        seed=seed,
    ).enter()


def sign_in_link(apis: Apis, settings: Settings, staff_id: str) -> str:
    """Make a one-time sign-in link for a member of staff."""
    secret = apis.staff.make_sign_in_link(
        MakeSignInLink(staff_id=staff_id), service_context(OPERATOR)
    ).ref
    return f"{portal_url(settings)}/sign-in/link/{secret}"


def prepare_demo(settings: Settings) -> None:
    """Make the demo data folder, unless it is there.

    Raises:
        SettingsError: the folder holds a real organisation.
    """
    folder, seed = settings.folder, settings.data / "demo-seed"
    if not holds_organisation(folder):
        create_data(folder)
        seed.write_text(str(mint()))
        seed.chmod(0o600)
    elif not seed.exists():
        message = f"{settings.data} holds a real organisation; the demo stays out of it"
        raise SettingsError(message)


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


def _staff_by_email(apis: Apis, email: str) -> StaffCard:
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


def log_to_standard_error() -> None:
    """Let warnings go to standard error, one line each."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
