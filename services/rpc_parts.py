"""What an rpc process is made of; imported natively, before nameko."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from services.brokerage import prove_pairs
from services.console import TOLD, Console, explain
from services.distributed import desk_of, known, stood_up
from services.ground import keks_of
from services.talking import broker_of, hinted, talking
from shared.failpoints import KillAt
from shared.messaging.rabbit.intake import Intake
from shared.messaging.rabbit.lines import RabbitLines
from shared.settings import Settings

__all__ = ["TOLD", "assembled", "complain"]  # what `services.rpc` asks for

FAILPOINT = "LETTERLOCK_FAILPOINT"
Parts = dict[str, Callable[..., object]]


class Assembled:
    """The intake of one service and what carries its messages out."""

    def __init__(
        self, service: str, variables: Mapping[str, str], workers: int
    ) -> None:
        """Open the data folder; connect to the broker when first asked."""
        settings = Settings.from_env(variables)
        known(service)
        keks_of(settings.folder)
        prove_pairs(settings, answers=service)
        self._stack = ExitStack()
        with ExitStack() as opening:
            talk = opening.enter_context(talking(settings, service))
            hints = opening.enter_context(hinted(settings, service))
            armed = variables.get(FAILPOINT, "")
            ground, part = opening.enter_context(
                stood_up(
                    service,
                    settings,
                    talk,
                    hints=hints,
                    failpoints=KillAt(armed) if armed else None,
                )
            )
            desk = desk_of(service, ground, part, talk)
            broker = broker_of(settings, service)
            answers = RabbitLines(broker)
            opening.callback(answers.close)
            self.intake = Intake(broker, service, desk, answers, ahead=2 * workers)
            self.parts: Parts = {service: desk.carry_out}
            self._stack = opening.pop_all()

    def __enter__(self) -> tuple[Intake, Parts]:
        """Hand over what was put together."""
        return self.intake, self.parts

    def __exit__(self, *error: object) -> None:
        """Close everything."""
        self._stack.close()


def complain(error: Exception) -> int:
    """Say on standard error, in one line, why it does not start; return the status."""
    return Console().fail(*explain(error), 2)


def assembled(service: str, variables: Mapping[str, str], workers: int) -> Assembled:
    """Put one service together; close it by leaving it.

    Raises:
        SettingsError: no such service, or the data folder is not fit to start with.
        Fault: a key, a password or a store is not there, or cannot be read.
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    return Assembled(service, variables, workers)
