"""The `letterlock` command: reads flags and environment, one line a verb.

Exit status: 0 done, 1 refused by a rule, 2 usage or fault.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from services import verbs, verbs_data, verbs_distributed
from services.console import TOLD, Console, explain
from shared.errors import DomainError
from shared.settings import Settings
from shared.web.server import WouldBeReadable

REFUSED: Final = 1
FAULT: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    flags = _parser().parse_args(argv)
    flags.failpoint = os.environ.get("LETTERLOCK_FAILPOINT", "")  # for tests alone
    console = Console(json=flags.json, quiet=flags.quiet)
    try:
        settings = Settings.from_env(_environment(flags))
        done: int = flags.verb(flags, settings, console)
    except DomainError as refusal:
        return console.fail(str(refusal), refusal.hint, REFUSED)
    except WouldBeReadable as wrong:
        return console.fail(str(wrong), "", FAULT)
    except TOLD as error:
        return console.fail(*explain(error), FAULT)
    except KeyboardInterrupt:
        return 0
    return done


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """Let a service manager's SIGTERM stop as gracefully as Ctrl+C."""
    del number, frame
    raise KeyboardInterrupt


def _environment(flags: argparse.Namespace) -> dict[str, str]:
    env = dict(os.environ)
    if flags.data is not None:
        env["LETTERLOCK_DATA"] = str(flags.data)
    if flags.port_base is not None:
        env["LETTERLOCK_PORT_BASE"] = str(flags.port_base)
    return env


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        parents=[_common()],
        prog="letterlock",
        description="Envelopes instead of private e-mail. The evidence is kept.",
    )
    verb = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, function: verbs.Verb, about: str) -> argparse.ArgumentParser:
        # a flag before the verb stays unless it is given after it as well
        common = _common(argument_default=argparse.SUPPRESS)
        one = verb.add_parser(name, parents=[common], help=about, description=about)
        one.set_defaults(verb=function)
        return one

    run = add("run", verbs.run, "start everything on this machine")
    run.add_argument("--demo", action="store_true", help="with the demo organisation")
    init = add(
        "init", verbs_data.init, "make an empty organisation and its administrator"
    )
    init.add_argument("--admin", required=True, metavar="NAME", help='"Ms Ada Quill"')
    init.add_argument("--email", required=True, help="the administrator's address")
    link = add(
        "sign-in", verbs_data.sign_in, "make a one-time sign-in link for somebody"
    )
    link.add_argument("email", metavar="EMAIL")
    add("demo", verbs.demo, "do the whole main job on a fresh folder and check it")
    send = add("send", verbs_data.send, "send one letter to one contact")
    send.add_argument("--as", dest="sender", required=True, metavar="EMAIL")
    send.add_argument("--contact", required=True, metavar="ID")
    send.add_argument("--page", required=True, metavar="NUMBER")
    send.add_argument("--record", metavar="KEY")
    timeline = add(
        "timeline", verbs_data.timeline, "print what happened to one envelope"
    )
    timeline.add_argument("envelope", metavar="ENVELOPE")
    events = add(
        "events", verbs_data.events, "print the facts in the store, not their text"
    )
    events.add_argument("--after", type=int, default=0, metavar="POSITION")
    many = events.add_mutually_exclusive_group()
    many.add_argument("--limit", type=int, default=100, metavar="N", help="the first N")
    many.add_argument("--last", type=int, metavar="N", help="the last N")
    rebuild = add(
        "rebuild", verbs_data.rebuild, "make lists and searches anew from facts"
    )
    rebuild.add_argument("names", nargs="*", metavar="PROJECTION")
    _add_distributed(add)
    return parser


def _common(argument_default: str | None = None) -> argparse.ArgumentParser:
    """Return the flags of every verb, which may stand before or after it."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argument_default)
    common.add_argument("--data", type=Path, help="data folder (./data)")
    common.add_argument("--port-base", type=int, help="first port (8400)")
    for name, about in (
        ("--json", "print one JSON object"),
        ("--yes", "do not ask"),
        ("--quiet", "print results only"),
    ):
        common.add_argument(name, action="store_true", help=about)
    return common


def _add_distributed(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs of the profile in which services are processes of their own."""
    rpc = add("rpc", verbs_distributed.rpc, "answer other processes for one service")
    rpc.add_argument("name", metavar="SERVICE")
    for name, function, about in (
        ("follow", verbs_distributed.follow, "keep read models of services going"),
        ("work", verbs_distributed.work, "carry out reactions, mails and timers"),
    ):
        add(name, function, about).add_argument("names", nargs="+", metavar="SERVICE")
    web = add("web", verbs_distributed.web, "serve the pages of one site")
    web.add_argument("name", metavar="SITE", help="portal, viewer or mailbox")
    about = "make keys, passwords and the broker's definitions"
    setup = add("broker-setup", verbs_distributed.broker_setup, about)
    setup.add_argument("--apply", action="store_true", help="load them by rabbitmqctl")
    about = "list messages nobody could act upon, or put them back"
    dead = add("dead-letters", verbs_distributed.dead_letters, about)
    dead.add_argument("act", choices=["list", "replay"])
    about = "print the SQL by which a database's owner makes an empty store"
    layout = add("store-layout", verbs_distributed.store_layout, about)
    layout.add_argument("--account", default="letterlock", metavar="NAME")
    about = "start a private broker and every process on this machine"
    apart = add("run-distributed", verbs_distributed.run_distributed, about)
    apart.add_argument("--demo", action="store_true", help="with the demo organisation")


if __name__ == "__main__":
    sys.exit(main())
