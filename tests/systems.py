"""A whole running demo system for journeys and browser tests, on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from services import verbs
from services.demo_data import DemoIds
from services.embedded import Running, running
from services.walk import free_port_base
from shared.failpoints import Failpoints
from shared.settings import Settings
from tests.ports import worker


@dataclass(frozen=True, kw_only=True)
class System:
    """A running demo organisation."""

    running: Running
    ids: DemoIds
    settings: Settings

    def sign_in_link(self, key: str) -> str:
        """Return a fresh one-time sign-in link of a member of staff, by first name."""
        return verbs.sign_in_link(self.running.apis, self.settings, self.ids.staff[key])


def worker_port_base() -> int:
    """Return free ports apart from those that parallel test workers look at."""
    return free_port_base(20000 + 2000 * worker() + 50 * (uuid4().int % 40))


def demo_settings(folder: Path, **changes: str) -> Settings:
    """Return settings for a demo below `folder`, with a short undo window."""
    return Settings.from_env(
        {
            "LETTERLOCK_DATA": str(folder / "data"),
            "LETTERLOCK_PORT_BASE": str(worker_port_base()),
            "LETTERLOCK_UNDO_SECONDS": "1",
            **{f"LETTERLOCK_{name}": value for name, value in changes.items()},
        }
    )


@contextmanager
def a_system(
    folder: Path, *, failpoints: Failpoints | None = None, **changes: str
) -> Iterator[System]:
    """Start a demo organisation below `folder`; stop it at the end."""
    settings = demo_settings(folder, **changes)
    verbs.prepare_demo(settings)
    with running(settings, failpoints=failpoints) as system:
        yield System(
            running=system, ids=verbs.enter_demo(system, settings), settings=settings
        )
