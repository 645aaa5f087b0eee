"""One router, one address for each name, and only the roads that policies open."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.deploy.rehearsal.plan import Plan

ALL: Final = "10.77.0.0/16"
OUTSIDE: Final = "ingress"
NAMES: Final = "dns"
WAYS_IN: Final = "10.77.250.0/24"  # where the way in is


class Network:
    """The pods' network; the process that builds it is its router."""

    def __init__(self, plan: Plan) -> None:
        """Give every pod a network of its own; nobody reaches anybody yet."""
        named = {pod.name: pod.names for pod in plan.pods}
        self._named = {**named, OUTSIDE: (), NAMES: ()}
        self._number = {name: i for i, name in enumerate(self._named, 1)}
        self._number[OUTSIDE] = 250

    def build(self, edges: Iterable[tuple[str, str, int]]) -> None:
        """Lay the wires, then open each edge and the way back on it."""
        Path("/run/netns").mkdir()
        steps: list[str] = []
        for name, number in self._number.items():
            subprocess.run(["ip", "netns", "add", name], check=True)
            steps.append(f"link add v{number} type veth peer name eth0 netns {name}")
            steps.append(f"addr add {self.node(name)}/24 dev v{number}")
            steps.append(f"link set v{number} up")
        steps.append("rule add pref 10 iif lo lookup main")  # the node itself may
        steps.append(f"rule add pref 900 from {ALL} prohibit")
        for frm, to, port in sorted(edges):
            there = f"from {self._net(frm)} to {self._net(to)}"
            back = f"from {self._net(to)} to {self._net(frm)}"
            for kind in ("udp", "tcp") if to == NAMES else ("tcp",):
                for way, side in ((there, "dport"), (back, "sport")):
                    only = f"ipproto {kind} {side} {port} " if port else ""
                    steps.append(f"rule add pref 100 {way} {only}lookup main")
        _batch(list(dict.fromkeys(steps)))
        for name in self._number:
            inside = [f"addr add {a}/24 dev eth0" for a in self.addresses(name)]
            up = ["link set lo up", "link set eth0 up"]
            away = f"route add default via {self.node(name)}"
            _batch([*inside, *up, away], within=name)
        for setting, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0")):
            Path(f"/proc/sys/net/ipv4/{setting}").write_text(value)

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of a pod, one for each of its names, at least one."""
        count = max(1, len(self._named[name]))
        return [f"10.77.{self._number[name]}.{i + 2}" for i in range(count)]

    def node(self, name: str) -> str:
        """Return the address of the node as this pod sees it."""
        return f"10.77.{self._number[name]}.1"

    def owner(self, address: str) -> str:
        """Return whose address this is; `node` for the router's own."""
        *_, number, last = address.split(".")
        if last == "1":
            return "node"
        return next(n for n, i in self._number.items() if i == int(number))

    def known(self) -> dict[str, str]:
        """Return name -> address."""
        return {
            called: address
            for name, names in self._named.items()
            for called, address in zip(names, self.addresses(name), strict=False)
        }

    def _net(self, name: str) -> str:
        return f"10.77.{self._number[name]}.0/24"


def refused() -> int:
    """Return how often the router has refused to forward; the kernel counts."""
    rows = [
        line.split()
        for line in Path("/proc/net/snmp").read_text().splitlines()
        if line.startswith("Icmp:")
    ]
    return int(dict(zip(*rows, strict=True))["OutDestUnreachs"])


def _batch(steps: list[str], within: str = "") -> None:
    words = ["ip", *(["-n", within] if within else []), "-batch", "-"]
    subprocess.run(words, input="\n".join(steps), text=True, check=True)


def describe(known: dict[str, str], path: Path) -> None:
    """Write what the name server is to answer."""
    path.write_text(json.dumps(known))
