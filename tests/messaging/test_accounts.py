"""Keys, passwords and rights as files and definitions; no broker runs here."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from services.__main__ import main
from services.brokerage import (
    OPERATOR,
    create_accounts,
    definitions_of,
    password_of,
    rights,
    users,
    write_definitions,
)
from services.compose import create_data, pairs
from services.policy import POLICY
from services.walk import free_port_base
from shared.crypto.kek import KeyFileUnsafe, KeyMissing
from shared.messaging.pairs import Pairs, create_pairs
from shared.settings import Settings, SettingsError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings.from_env({"LETTERLOCK_DATA": str(tmp_path / "data")})
    create_data(settings.folder)
    return settings


def test_init_makes_a_key_for_each_pair_that_talks(settings: Settings) -> None:
    folder = settings.folder.keys / "pairs"
    assert {path.name for path in folder.iterdir()} == {
        f"{caller}.{service}" for caller, service in pairs()
    }
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    keys = {
        Pairs(folder).key(c, s, d) for c, s in pairs() for d in ("request", "reply")
    }
    assert len(keys) == 2 * len(pairs())
    assert create_pairs(folder, pairs()) == 0  # never made anew


def test_a_key_that_others_can_touch_or_that_is_gone_is_refused(
    settings: Settings,
) -> None:
    folder = settings.folder.keys / "pairs"
    (folder / "portal.crm").chmod(0o440)
    with pytest.raises(KeyFileUnsafe):
        Pairs(folder).key("portal", "crm", "request")
    (folder / "portal.crm").unlink()
    with pytest.raises(KeyMissing, match="broker-setup"):
        Pairs(folder).key("portal", "crm", "request")
    (folder / "portal.crm").write_bytes(b"short")
    (folder / "portal.crm").chmod(0o400)
    with pytest.raises(KeyFileUnsafe):
        Pairs(folder).key("portal", "crm", "request")
    for name in ("../kek-1", "", "crm/.."):
        with pytest.raises(KeyMissing):
            Pairs(folder).key(name, "crm", "request")


def test_accounts_are_made_once_and_for_this_user_alone(settings: Settings) -> None:
    assert create_accounts(settings) == len(users())
    before = {user: password_of(settings, user) for user in users()}
    assert create_accounts(settings) == 0
    assert {user: password_of(settings, user) for user in users()} == before
    assert len(set(before.values())) == len(users())
    path = Path(write_definitions(settings))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [p for p in before.values() if p in path.read_text()]


def test_rights_are_the_policy_and_not_one_more(settings: Settings) -> None:
    create_accounts(settings)
    told = json.loads(json.dumps(definitions_of(settings)))
    asking = {
        row["user"]: re.compile(row["write"])
        for row in told["topic_permissions"]
        if row["exchange"] == "ask"
    }
    keys = [f"{service}.{operation}" for service, operation in POLICY]
    for user in users():
        if user != OPERATOR:
            allowed = {
                f"{service}.{operation}"
                for (caller, service), operations in rights().items()
                if caller == user
                for operation in operations
            }
            assert {key for key in keys if asking[user].search(key)} == allowed
            assert not asking[user].search("envelope.sendx")
            assert not asking[user].search("xenvelope.send")
    assert {row["exchange"] for row in told["topic_permissions"]} == {
        "ask",
        "reply",
        "hints",
    }
    assert len(told["topic_permissions"]) == 3 * len(users())  # none left to a default
    queues = {queue["name"]: queue["arguments"] for queue in told["queues"]}
    assert all(a["x-queue-type"] == "quorum" for a in queues.values())
    assert queues["ask.envelope"]["x-delivery-limit"] == 5
    assert queues["ask.envelope"]["x-dead-letter-exchange"] == "dead"


def test_settings_go_to_other_processes_whole(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    env = {
        "LETTERLOCK_DATA": str(tmp_path / "data"),
        "LETTERLOCK_PORT_BASE": "9000",
        "LETTERLOCK_SMTP_HOST": "relay.example",
        "LETTERLOCK_SMTP_PORT": "2525",
        "LETTERLOCK_UNDO_SECONDS": "3",
        "LETTERLOCK_LINK_DAYS": "2",
        "LETTERLOCK_DEMO": "yes",
        "LETTERLOCK_BROKER_HOST": "rabbit.example",
        "LETTERLOCK_BROKER_PORT": "5671",
        "LETTERLOCK_BROKER_VHOST": "other",
        "LETTERLOCK_BROKER_CA_FILE": str(tmp_path / "ca.pem"),
    }
    settings = Settings.from_env(env)
    assert settings.undo_window == timedelta(seconds=3)
    assert Settings.from_env(settings.env()) == settings
    plain = Settings.from_env({"LETTERLOCK_DATA": "d"})
    again = Settings.from_env(plain.env())
    assert again == dataclasses.replace(plain, data=Path.cwd() / "d")


def test_a_broker_elsewhere_needs_tls() -> None:
    with pytest.raises(SettingsError, match="BROKER"):
        Settings.from_env({"LETTERLOCK_BROKER_HOST": "rabbit.example"})


def test_the_command_writes_accounts_and_tells_how_to_load_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data")
    assert main(["broker-setup", "--data", data]) == 2  # there is no organisation
    assert "letterlock init" in capsys.readouterr().err
    create_data(Settings.from_env({"LETTERLOCK_DATA": data}).folder)
    assert main(["broker-setup", "--data", data]) == 0
    told = capsys.readouterr().out
    assert "rabbitmqctl import_definitions" in told
    assert main(["broker-setup", "--data", data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["follow", "nobody"],
        ["work", "audit"],
        ["web", "nowhere"],
        ["follow", "crm"],  # without accounts
    ],
)
def test_a_process_that_cannot_be_refuses_to_start(
    settings: Settings, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    if words != ["follow", "crm"]:
        create_accounts(settings)
    assert main([*words, "--data", str(settings.data)]) == 2
    assert capsys.readouterr().err


def test_dead_letters_without_a_broker_is_a_fault(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    create_accounts(settings)
    port = str(free_port_base(31_000))
    words = ["dead-letters", "list", "--data", str(settings.data), "--port-base", port]
    assert main(words) == 2
    assert "broker" in capsys.readouterr().err
