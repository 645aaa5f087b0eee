"""What the verbs of the distributed profile do; broker libraries load when needed."""

from __future__ import annotations

import argparse
import json
import os
import subprocess  # nosec B404  # our own programs and Debian's, no shell
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from services.brokerage import create_accounts, write_definitions
from services.console import Console
from services.ground import keks_of
from services.verbs import log_to_standard_error, stay
from shared.failpoints import KillAt
from shared.settings import Settings, SettingsError

LOAD: Final = ("rabbitmqctl", "import_definitions")  # reads standard input


def rpc(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Become the rpc process of one service."""
    del console
    variables = settings.env()
    if flags.failpoint:
        variables["LETTERLOCK_FAILPOINT"] = flags.failpoint
    alone = ["-IB"] if sys.flags.isolated else []  # as it was itself started
    program = [sys.executable, *alone, "-m", "services.rpc"]
    words = [*program, flags.name, json.dumps(variables)]
    os.execv(sys.executable, words)  # noqa: S606  # nosec B606  # our own words


def follow(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Keep read models going until interrupted."""
    log_to_standard_error()
    with _processes().following(flags.names, settings):
        console.say("following: " + ", ".join(flags.names))
        stay()
    return 0


def work(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Carry out reactions, mails and timers until interrupted."""
    log_to_standard_error()
    failpoints = KillAt(flags.failpoint) if flags.failpoint else None
    with _processes().working(flags.names, settings, failpoints):
        console.say("working: " + ", ".join(flags.names))
        stay()
    return 0


def web(flags: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Serve one site until interrupted."""
    log_to_standard_error()
    with _processes().serving(flags.name, settings):
        console.say(f"serving: {flags.name}")
        stay()
    return 0


def broker_setup(
    flags: argparse.Namespace, settings: Settings, console: Console
) -> int:
    """Make keys, passwords and the broker's definitions; load them if asked.

    Raises:
        SettingsError: there is no organisation, or the broker did not take them.
    """
    keks_of(settings.folder)
    made = create_accounts(settings)
    path = str(Path(write_definitions(settings)).absolute())
    if flags.apply:
        _load(path)
    else:
        console.say(f"Load it into the broker with: {' '.join(LOAD)} < {path}")
    console.result(
        f"{made} keys and passwords made; definitions: {path}",
        {"made": made, "definitions": path},
    )
    return 0


def _load(path: str) -> None:
    # By standard input: Debian's rabbitmqctl opens files as another user, elsewhere.
    try:
        with Path(path).open("rb") as file:
            done = subprocess.run(  # noqa: S603  # nosec B603  # our own words
                LOAD, stdin=file, stdout=subprocess.DEVNULL, check=False
            )
    except FileNotFoundError:
        message = "there is no rabbitmqctl here; load the definitions by hand:"
        raise SettingsError(f"{message} {' '.join(LOAD)} < {path}") from None
    if done.returncode:
        message = "rabbitmqctl could not load the definitions; run this as root or"
        raise SettingsError(f"{message} rabbitmq, on the broker's machine")


def store_layout(
    flags: argparse.Namespace, settings: Settings, console: Console
) -> int:
    """Print the SQL of an empty store on PostgreSQL, for its owner to run."""
    del settings
    from shared.eventstore.postgres import layout  # noqa: PLC0415  # loads libpq

    text = layout(flags.account)
    console.result(text, {"sql": text})
    return 0


def dead_letters(
    flags: argparse.Namespace, settings: Settings, console: Console
) -> int:
    """List dead letters, or put those that are genuine back into their queue."""
    tool: Any = import_module("services.dead_letters")
    told = (tool.replayed if flags.act == "replay" else tool.listed)(settings)
    text = "\n".join(
        f"{letter['route'] or letter['queue']:<26}{letter['cause']:<24}"
        f"{letter['bytes']:>9} bytes  {letter['became']}"
        for letter in told
    )
    console.result(text or "There are no dead letters.", {"dead_letters": told})
    return 0


def run_distributed(
    flags: argparse.Namespace, settings: Settings, console: Console
) -> int:
    """Start a private broker and every process; stay until interrupted."""
    supervisor: Any = import_module("services.supervisor")
    log_to_standard_error()
    supervisor.run(settings, console, demo=flags.demo or settings.demo)
    return 0


def _processes() -> Any:
    return import_module("services.processes")
