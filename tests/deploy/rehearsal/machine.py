"""A plan from deploy/compose.yaml, as `docker compose up` would read it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import yaml

from deploy import prepare
from tests.deploy.manifests import ROOT
from tests.deploy.rehearsal.image import Image
from tests.deploy.rehearsal.plan import Check, Container, Mount, Plan, Pod

FILE: Final = ROOT / "deploy" / "compose.yaml"
UNITS: Final = {"m": 1 << 20, "g": 1 << 30}
NODES: Final = re.compile(r"(store)-\d")  # one stand-in plays all of them
Told = dict[str, Any]


def plan(folder: Path, image: Image, variables: dict[str, str]) -> Plan:
    """Return what compose would start, its secrets prepared below `folder`.

    `variables` are those that an operator exports, beside the two that must be set.
    """
    secrets = folder / "secrets"
    prepare.prepare(secrets)
    exported = {
        "LETTERLOCK_SECRETS": str(secrets),
        "LETTERLOCK_IMAGE": "letterlock",
        **variables,
    }
    told = _filled(yaml.safe_load(FILE.read_text()), exported)
    services: dict[str, Told] = {
        name: one for name, one in told["services"].items() if not NODES.fullmatch(name)
    }
    zones = {name: set(one["networks"]) for name, one in services.items()}
    nodes = tuple(sorted(name for name in told["services"] if NODES.fullmatch(name)))
    pods = [_pod(name, one, folder, image) for name, one in services.items()]
    if nodes:
        first = told["services"][nodes[0]]
        pods.append(_pod("store", first, folder, image, nodes))
        zones["store"] = set(first["networks"])
    urls = told["x-settings"]
    sites = {"portal": "portal-web", "viewer": "viewer-web"}
    hosts = {
        re.sub("^https://|:.*$", "", urls[f"LETTERLOCK_{site.upper()}_URL"][8:]): (
            name,
            int(services[name]["ports"][0].rsplit(":", 1)[-1]),
            "",
        )
        for site, name in sites.items()
    }
    edges = {
        (frm, to, 0)
        for frm, mine in zones.items()
        for to, theirs in zones.items()
        if frm != to and mine & theirs
    }
    edges |= {("ingress", name, 0) for name, one in services.items() if "ports" in one}
    return Plan(
        pods=tuple(pods),
        edges=frozenset(edges),
        domains=(),
        portal=urls["LETTERLOCK_PORTAL_URL"],
        viewer=urls["LETTERLOCK_VIEWER_URL"],
        trust=secrets / "ca.crt",
        hosts=hosts,
    )


def _pod(
    name: str, one: Told, folder: Path, image: Image, names: tuple[str, ...] = ()
) -> Pod:
    test = one.get("healthcheck", {}).get("test", ["CMD"])
    command = tuple(test[1:]) if test[0] == "CMD" else ("/bin/sh", "-c", test[1])
    kind = "server" if name in {"broker", "store"} else name.rpartition("-")[2]
    return Pod(
        name=name,
        component="once" if one.get("profiles") else kind,
        names=names or (name,),
        first=(),
        main=_container(one, folder, image),
        checks=(Check(kind="health", command=command),) if command else (),
        words=tuple(one.get("command", ())),
        grace=float(one.get("stop_grace_period", "10s").rstrip("s")),
    )


def _container(one: Told, folder: Path, image: Image) -> Container:
    name = one["image"].split("@")[0].split(":")[0].rsplit("/", 1)[-1]
    ours = name == "letterlock"
    variables = dict(image.variables) if ours else {}
    variables |= {key: str(value) for key, value in one.get("environment", {}).items()}
    words = one.get("entrypoint", image.words if ours else ())
    user, _, group = one["user"].partition(":")
    return Container(
        image=name,
        words=(*words, *one.get("command", ())),
        variables=variables,
        mounts=tuple(
            [_volume(text, folder, int(user), image) for text in one["volumes"]]
            + [_memory(text) for text in one["tmpfs"]]
        ),
        user=int(user),
        group=int(group),
        memory=int(one["mem_limit"][:-1]) * UNITS[one["mem_limit"][-1]],
    )


def _volume(text: str, folder: Path, user: int, image: Image) -> Mount:
    source, target, *mode = text.split(":")
    if source.startswith("./"):
        path = FILE.parent / source
    elif source.startswith("/"):
        path = Path(source)
    else:  # a named volume: begins as what the image holds in that place
        path = folder / "claims" / source
        if not path.exists():
            path.mkdir(parents=True, mode=0o755)
            if user == image.user or target == "/var/lib/rabbitmq":
                os.chown(path, user, user)
                path.chmod(0o700)
    if not path.exists():
        message = f"{path} is not there: Docker would make a folder of it"
        raise FileNotFoundError(message)
    return Mount(target=target, source=path, writable=mode != ["ro"])


def _memory(text: str) -> Mount:
    target, _, options = text.partition(":")
    told = dict(option.split("=") for option in options.split(","))
    return Mount(
        target=target,
        size=told["size"],
        mode=told["mode"],
        owner=int(told.get("uid", 0)),
    )


def _filled(told: Any, variables: dict[str, str]) -> Any:
    """Put variables in their places, as compose does: `${A}`, `${A:?}`, `${A:-b}`."""
    if isinstance(told, dict):
        return {name: _filled(one, variables) for name, one in told.items()}
    if isinstance(told, list):
        return [_filled(one, variables) for one in told]
    if not isinstance(told, str):
        return told

    def value(match: re.Match[str]) -> str:
        name, how, other = match.groups()
        if found := variables.get(name):
            return found
        if how == "?":
            raise KeyError(name)
        return other or ""

    return re.sub(r"\$\{(\w+)(?::(\?|-)([^}]*))?\}", value, told).replace("$$", "$")
