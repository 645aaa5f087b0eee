"""What is deployed speaks the program's own language: verbs, settings, ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from deploy.image import mailbox, place
from services.__main__ import _parser
from shared.settings import Settings
from tests.deploy.manifests import COMPONENT, OVERLAYS, ROOT, of_kind, pods

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
KINDS = {"rpc", "follow", "work", "web"}


class Asked(Mapping[str, str]):
    """An empty environment that remembers what was looked for in it."""

    def __init__(self) -> None:
        self.names: set[str] = {place.FIRST}

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default

    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def known() -> set[str]:
    asked = Asked()
    Settings.from_env(asked)
    return asked.names


def told(overlay: str) -> set[str]:
    (settings,) = (
        one["data"]
        for one in of_kind(overlay, "ConfigMap")
        if one["metadata"]["name"].startswith("settings-")
    )
    own = {
        variable["name"]
        for pod in pods(overlay)
        for one in pod.spec["containers"]
        for variable in one.get("env", ())
    }
    return {name for name in own | settings.keys() if name.startswith("LETTERLOCK_")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_is_started_by_a_verb_that_exists(overlay: str) -> None:
    for pod in pods(overlay):
        if pod.labels[COMPONENT] in KINDS:
            (one,) = pod.spec["containers"]
            assert _parser().parse_args(one["args"]).verb


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_setting_of_the_cluster_is_one_that_the_program_reads(
    overlay: str,
) -> None:
    assert told(overlay) <= known()


def test_every_setting_of_the_one_machine_is_one_that_the_program_reads() -> None:
    names = {
        name
        for one in COMPOSE["services"].values()
        for name in one.get("environment", {})
        if name.startswith("LETTERLOCK_")
    }
    assert names <= known()
    assert place.FIRST in names


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_sites_listen_where_the_way_in_leads(overlay: str) -> None:
    settings = Settings.from_env({})
    ports = {"portal-web": settings.portal_port, "viewer-web": settings.viewer_port}
    for pod in pods(overlay):
        if pod.name in ports:
            (one,) = pod.spec["containers"]
            assert one["ports"] == [{"name": "https", "containerPort": ports[pod.name]}]
            published = COMPOSE["services"][pod.name]["ports"]
            assert published == [f"127.0.0.1:{ports[pod.name]}:{ports[pod.name]}"]


def test_the_postman_speaks_to_the_port_that_the_catcher_listens_on() -> None:
    for settings in (
        COMPOSE["x-settings"],
        *(
            one["data"]
            for one in of_kind("staging", "ConfigMap")
            if one["metadata"]["name"].startswith("settings-")
        ),
    ):
        assert settings["LETTERLOCK_SMTP_HOST"] == "mailbox"
        assert settings["LETTERLOCK_SMTP_PORT"] == str(mailbox.SMTP_PORT)
