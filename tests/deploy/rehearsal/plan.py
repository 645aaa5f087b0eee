"""What is to be started, whoever described it: cluster or compose file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of a container: from a source, or empty memory."""

    target: str
    source: Path | None = None  # None: a fresh tmpfs
    writable: bool = False
    size: str = ""  # of memory
    mode: str = "1777"  # of memory
    owner: int = 0  # of memory, user and group


@dataclass(frozen=True, kw_only=True)
class Container:
    """One program as its description has it; `words` and `variables` are complete."""

    image: str  # letterlock, rabbitmq or kurrentdb
    words: tuple[str, ...]
    variables: dict[str, str]
    mounts: tuple[Mount, ...]
    user: int
    group: int
    memory: int  # bytes it may take


@dataclass(frozen=True, kw_only=True)
class Check:
    """A probe: a command inside, or a page or a port asked for from the node."""

    kind: str
    command: tuple[str, ...] = ()
    path: str = ""
    port: int = 0


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What shares one address."""

    name: str
    component: str  # rpc, follow, work, web, once, server or catcher
    names: tuple[str, ...]  # by which others find it, one address each
    first: tuple[Container, ...]
    main: Container
    checks: tuple[Check, ...]
    grace: float  # s between SIGTERM and SIGKILL
    words: tuple[str, ...] = ()  # of the container, after those of its entry point


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is to be started, and who may talk to whom."""

    pods: tuple[Pod, ...]
    edges: frozenset[tuple[str, str, int]]  # from, to, port; port 0 is any
    domains: tuple[str, ...]  # appended to names that are looked up; () hosts file only
    portal: str  # address that a browser asks for
    viewer: str
    trust: Path  # authority of all certificates inside
    hosts: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """Name that a browser asks for -> pod and port that it is led to, and the name that
    the way in wants proven; "" if it passes the bytes on."""
