"""Ports of this machine: whether somebody has them, told before anything starts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from shared.errors import Fault

HERE: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where something is going to listen."""

    number: int
    whose: str = ""  # as a person calls it, such as "the portal"
    setting: str = ""  # the variable by which it can be moved
    host: str = HERE

    @property
    def taken(self) -> bool:
        """Say whether another program listens there."""
        family = (
            socket.AF_INET6 if ip_address(self.host).version == 6 else socket.AF_INET  # noqa: PLR2004  # IPv6
        )
        with socket.socket(family) as probe:
            # as servers do: what is left of ended connections does not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.number))
            except OSError as error:
                return error.errno == errno.EADDRINUSE
        return False


class PortTaken(Fault):
    """Another program listens on a port that is wanted; says which, and the way out."""

    def __init__(self, taken: Iterable[Port]) -> None:
        """Tell of the ports."""
        ports = list(taken)
        told = ", ".join(f"{port.number} for {port.whose}" for port in ports)
        super().__init__(f"a port is taken: {told}")
        settings = " and ".join(sorted({port.setting for port in ports}))
        self.hint = (
            "Stop the program that has it, perhaps a Letterlock that runs already, or "
            f"choose another port with {settings}."
        )


def refuse_taken(wanted: Iterable[Port]) -> None:
    """Look whether all ports are free.

    Raises:
        PortTaken: some are not.
    """
    if taken := [port for port in wanted if port.taken]:
        raise PortTaken(taken)
