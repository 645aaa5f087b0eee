"""What each verb of the `letterlock` command does."""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from services.compose import (
    Apis,
    create_data,
    holds_organisation,
    portal_url,
)
from services.console import Console
from services.demo_data import STAFF, DemoIds, DemoOrganisation
from services.embedded import Running, running
from services.ground import refuse_lost_keys
from services.portal.commands import MakeSignInLink
from services.ports import ports_of_sites
from services.walk import Walk, free_port_base, sealed_at_rest
from shared.context import service_context
from shared.failpoints import KillAt
from shared.ids import mint
from shared.ports import refuse_taken
from shared.settings import Settings, SettingsError

Verb = Callable[[argparse.Namespace, Settings, Console], int]
OPERATOR: Final = "operator"
LOOK: Final = 0.5  # s until a signal is noticed at the latest


def run(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Start everything and stay until interrupted."""
    log_to_standard_error()
    refuse_taken(ports_of_sites(settings))
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


def stay() -> None:
    """Wait to be interrupted, by pieces.

    A signal that comes just before a wait, or to another thread, does not end it.
    """
    while True:
        time.sleep(LOOK)


def _stay() -> None:
    """Wait to be interrupted; then let nothing interrupt the stopping."""
    try:
        stay()
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
        SettingsError: the folder holds a real organisation, or the store on servers is
            not empty.
    """
    folder, seed = settings.folder, settings.data / "demo-seed"
    if not holds_organisation(folder):
        refuse_lost_keys(settings)
        create_data(folder)
        seed.write_text(str(mint()))
        seed.chmod(0o600)
    elif not seed.exists():
        message = f"{settings.data} holds a real organisation; the demo stays out of it"
        raise SettingsError(message)


def log_to_standard_error() -> None:
    """Let warnings go to standard error, one line each."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
