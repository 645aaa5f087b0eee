"""What a person at the console does, read from the runbooks and done as written.

Understood are the lines that start, stop or enter a container. Lines that build, apply
or restart need Docker or a cluster; they are left out.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from tests.deploy.manifests import ROOT

BOOKS: Final = ROOT / "docs" / "runbooks"
FENCED: Final = re.compile(r"(?m)^```sh\n(.*?)^```$", re.DOTALL)
COMPOSE: Final = ["docker", "compose", "-f", "deploy/compose.yaml"]
KUBECTL: Final = ["kubectl", "-n", "$N"]


@dataclass(frozen=True)
class Act:
    """One thing to do to one container."""

    line: str
    kind: str  # enter, stop, start or once
    pod: str
    words: tuple[str, ...] = ()
    fails: bool = False  # as it must


def acts(book: str, *, on_cluster: bool) -> list[Act]:
    """Return what a runbook tells to do, in its order."""
    blocks = FENCED.findall((BOOKS / book).read_text())
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    read = _on_cluster if on_cluster else _on_machine
    return [act for line in lines if (act := read(line))]


def _on_machine(line: str) -> Act | None:
    said, _, note = line.partition("   #")
    words = shlex.split(said) if said.startswith("docker") else []
    if words[:4] != COMPOSE:
        return None
    fails = "must fail" in note
    match words[4:]:
        case ["exec", pod, *inside]:
            return Act(line, "enter", pod, tuple(inside), fails)
        case ["run", "--rm", pod, *inside]:
            return Act(line, "once", pod, tuple(inside), fails)
        case ["stop" | "start" as kind, pod]:
            return Act(line, kind, pod)
        case _:
            return None


def _on_cluster(line: str) -> Act | None:
    said, _, note = line.partition("   #")
    words = shlex.split(said) if said.startswith("kubectl") else []
    if words[:3] != KUBECTL:
        return None
    fails = "must fail" in note
    match words[3:]:
        case ["exec", target, "--", *inside]:
            return Act(line, "enter", target.partition("/")[2], tuple(inside), fails)
        case ["create", "job", _, pattern] if pattern.startswith("--from=cronjob/"):
            return Act(line, "once", pattern.partition("/")[2])
        case ["scale", "deployment", pod, "--replicas=0"] if pod[0] != "-":
            return Act(line, "stop", pod)
        case ["scale", "deployment", pod, "--replicas=1"]:
            return Act(line, "start", pod)
        case _:
            return None
