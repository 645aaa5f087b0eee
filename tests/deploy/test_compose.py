"""The one-machine file: every process there, each as hardened as in the cluster."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from services.brokerage import rights
from tests.deploy.manifests import COMPONENT, NAME, ROOT, allowed, pods

FILE = ROOT / "deploy" / "compose.yaml"
WHOLE: dict[str, Any] = yaml.safe_load(FILE.read_text())
RUNNING: dict[str, Any] = WHOLE["services"]
OURS = {pod.name for pod in pods("staging") if pod.labels[COMPONENT] != "server"}
ZONES = {"bus": "broker", "facts": "store-0", "mail": "mailbox"}
PINNED = re.compile(r"[a-z.]+/[a-z/-]+:[0-9.]+@sha256:[0-9a-f]{64}")


def test_every_process_of_the_cluster_runs_here_too() -> None:
    theirs = {"broker", "store-0", "store-1", "store-2"}
    assert RUNNING.keys() == OURS | theirs
    for pod in pods("staging"):
        if pod.labels[COMPONENT] in {"rpc", "follow", "work", "web"}:
            assert RUNNING[pod.name]["command"] == [
                pod.labels[COMPONENT],
                pod.labels[NAME],
            ]


@pytest.mark.parametrize("name", RUNNING)
def test_a_container_is_hardened(name: str) -> None:
    one = RUNNING[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert int(one["user"].split(":")[0]) > 0
    assert one["mem_limit"]
    assert one["pids_limit"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & one.keys()
    if not one.get("profiles"):
        assert one["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_only_what_an_operator_asks_for_stands_aside() -> None:
    aside = {name: one for name, one in RUNNING.items() if one.get("profiles")}
    assert aside.keys() == {"operator"}
    assert aside["operator"]["profiles"] == ["operator"]
    assert aside["operator"]["restart"] == "no"


@pytest.mark.parametrize("name", RUNNING)
def test_an_image_is_pinned_or_must_be_named(name: str) -> None:
    image = RUNNING[name]["image"]
    assert PINNED.fullmatch(image) or image == "${LETTERLOCK_IMAGE:?}"
    assert (name in OURS) == image.startswith("$")


@pytest.mark.parametrize("name", RUNNING)
def test_what_is_published_stays_on_this_machine(name: str) -> None:
    for port in RUNNING[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")
    assert ("ports" in RUNNING[name]) == ("public" in RUNNING[name]["networks"])


def test_every_zone_but_the_public_one_is_closed() -> None:
    networks = WHOLE["networks"]
    assert {name for name, one in networks.items() if not one.get("internal")} == {
        "public"
    }


def test_who_shares_a_zone_is_who_may_talk_in_the_cluster() -> None:
    talks = {(frm, to) for frm, to, _ in allowed("staging") if frm in OURS}
    for name in OURS - {"mailbox"}:
        zones = set(RUNNING[name]["networks"])
        for zone, server in ZONES.items():
            target = server.removesuffix("-0")
            assert (zone in zones) == ((name, target) in talks), (name, zone)


def test_each_process_is_handed_the_same_secrets_as_in_the_cluster() -> None:
    for pod in pods("staging"):
        if pod.labels[COMPONENT] not in {"rpc", "follow", "work", "web", "once"}:
            continue
        handed = set()
        for volume in RUNNING[pod.name]["volumes"]:
            source, target, *mode = volume.removeprefix(
                "${LETTERLOCK_SECRETS:?}"
            ).split(":")
            if target.startswith("/run/"):
                assert volume.startswith("${LETTERLOCK_SECRETS:?}/")
                assert mode == ["ro"]
            if target.startswith("/run/offered/"):
                handed.add(source)
        if "/pairs" in handed:
            handed ^= {"/pairs", *(f"/pairs/{a}.{b}" for a, b in rights())}
        assert handed == {_folder(name) for name in _secrets(pod.spec)}


def test_no_value_of_a_secret_stands_in_the_file() -> None:
    for name, one in RUNNING.items():
        settings = one.get("environment", {})
        assert not [
            k for k in settings if re.search("(?i)passw|secret|token|key$", k)
        ], name
    assert not re.search(r"(?i)password\s*[:=]\s*[\"']?[a-z0-9]", FILE.read_text())


def _secrets(spec: dict[str, Any]) -> set[str]:
    return {v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v} | {
        source["secret"]["name"]
        for v in spec["volumes"]
        for source in v.get("projected", {}).get("sources", ())
    }


def _folder(secret: str) -> str:
    """Return where `deploy/prepare.py` lays what the cluster calls `secret`."""
    if secret.endswith("-keks"):
        return f"/keys/{secret.removesuffix('-keks')}"
    if secret.startswith("pair-"):
        return f"/pairs/{secret.removeprefix('pair-').replace('-', '.')}"
    if secret.endswith("-tls"):
        return f"/tls/{secret.removesuffix('-tls')}"
    return f"/accounts/{secret}"
