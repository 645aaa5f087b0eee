"""The main job, as people outside do it, over what was started.

    python -m tests.deploy.rehearsal.people TOLD.json

Runs on the network of the way in. Staff and recipient use the sites alone; what an
operator does, is done inside containers. Prints what was found, as JSON.
"""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from services.audit.commands import GetTrail
from services.compose import Apis
from services.console import Console
from services.demo_data import DemoIds, DemoOrganisation
from services.embedded import Running
from services.verbs import sign_in_link
from services.walk import Walk
from shared.context import CallContext
from shared.ids import mint
from shared.mailbox import Mail
from shared.settings import Settings
from tests.deploy.rehearsal.wayin import Ingress, forward

SERVANT: Final = """
import base64, os, pickle, sys
from services.processes import asking
from shared.settings import Settings
with asking(Settings.from_env(os.environ)) as apis:
    for line in sys.stdin:
        service, operation, told = pickle.loads(base64.b64decode(line))
        try:
            answer = (True, getattr(getattr(apis, service), operation)(*told))
        except Exception as error:
            answer = (False, repr(error))
        sys.stdout.write(base64.b64encode(pickle.dumps(answer)).decode() + "\\n")
        sys.stdout.flush()
"""
PEEK: Final = (
    "import ssl, sys, urllib.request as u; "
    "t = ssl.create_default_context(cafile=sys.argv[1]); "
    "sys.stdout.buffer.write(u.urlopen(sys.argv[2], context=t, timeout=30).read())"
)


class Servant:
    """Asks the services from within the portal's container, as `kubectl exec` can."""

    def __init__(self, words: list[str], variables: dict[str, str]) -> None:
        """Start the helper inside."""
        self._process = subprocess.Popen(
            [*words, "/app/bin/python", "-IB", "-W", "ignore", "-c", SERVANT],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def of(self, service: str) -> Any:
        """Return something with every operation of a service."""
        return _Operations(self, service)

    def ask(self, service: str, operation: str, told: tuple[Any, ...]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        sent = base64.b64encode(pickle.dumps((service, operation, told))).decode()
        self._process.stdin.write(f"{sent}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        done, answer = pickle.loads(base64.b64decode(line))  # noqa: S301  # our own
        if not done:
            message = f"{service}.{operation}: {answer}"
            raise RuntimeError(message)
        return answer

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)


@dataclass
class _Operations:
    servant: Servant
    service: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def asked(*told: Any) -> Any:
            return self.servant.ask(self.service, operation, told)

        return asked


class Postbox:
    """Reads the catcher's page from within its network, as a forwarded port does."""

    def __init__(self, words: list[str], trust: str) -> None:
        """Enter the network by `words`; believe the page by `trust`."""
        self._words = words
        self._trust = trust

    def wait_for(self, wanted: Callable[[Mail], bool], timeout: float) -> Mail | None:
        """Return the first mail that is wanted; each look takes longer than usual."""
        end, number = time.monotonic() + 3 * timeout, 1
        while time.monotonic() < end:
            address = f"https://localhost:8402/mail/{number}/source"
            words = [sys.executable, "-I", "-c", PEEK, self._trust, address]
            done = subprocess.run(
                [*self._words, *words], check=False, capture_output=True
            )
            if done.returncode:
                time.sleep(0.3)
                continue
            number += 1
            mail = Mail(
                number=number - 1,
                received_at=datetime.now(UTC),
                recipients=(),
                source=done.stdout,
            )
            addresses = [a for _, a in getaddresses([mail.header("To")])]
            mail = Mail(
                number=mail.number,
                received_at=mail.received_at,
                recipients=tuple(addresses),
                source=done.stdout,
            )
            if wanted(mail):
                return mail
        return None


@dataclass
class System:
    """As `services.embedded.Running`, as far as a walk asks."""

    portal: str
    viewer: str
    apis: Apis
    mailbox: Postbox


def refused_the_trail(apis: Apis, ids: DemoIds) -> bool:
    """Say whether a sender, who may not see the trail, is refused it by name."""
    sender = CallContext(
        command_id=(asked := mint()),
        correlation_id=asked,
        actor_id=ids.staff["anna"],
        actor_kind="staff",
        role="sender",
    )
    try:
        apis.audit.trail(GetTrail(type_name="Refused"), sender)
    except RuntimeError as refusal:
        return "NotAllowed" in str(refusal)
    return False


def main(path: str) -> None:
    """Enter the demo organisation, do the main job, and tell what held."""
    told = json.loads(Path(path).read_text())
    for road in told["roads"]:
        at, to = (road["at"], road["port"]), (road["to"], road["to_port"])
        if name := road["name"]:
            Ingress(at, to, name, shown=tuple(road["shown"]), trust=told["trust"])
        else:
            forward(at, to)
    servant = Servant(told["portal_web"], told["variables"])
    apis = Apis(
        crm=servant.of("crm"),
        letters=servant.of("letters"),
        envelope=servant.of("envelope"),
        audit=servant.of("audit"),
        staff=servant.of("staff"),
    )
    seed: UUID = mint()
    ids = DemoOrganisation(
        staff=apis.staff, crm=apis.crm, letters=apis.letters, envelope=apis.envelope,
        seed=seed,
    ).enter()  # fmt: skip
    settings = Settings(portal_base=told["portal"], viewer_base=told["viewer"])
    link = sign_in_link(apis, settings, ids.staff["anna"])
    system: Running = System(  # type: ignore[assignment]  # all that a walk asks of it
        portal=told["portal"],
        viewer=told["viewer"],
        apis=apis,
        mailbox=Postbox(told["mailbox"], told["trust"]),
    )
    walked = Walk(system, ids, link, Console(json=False, quiet=True)).go()
    held = {**walked.checks, "trail_refused": refused_the_trail(apis, ids)}
    servant.close()
    sys.stdout.write(json.dumps(held))


if __name__ == "__main__":
    main(sys.argv[1])
