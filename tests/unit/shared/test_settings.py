"""Settings are read once; what is wrong is named and never shown."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from shared.settings import DataFolder, Settings, SettingsError, refuse_exposed


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.from_env({"PATH": "/bin"})
    assert settings == Settings()
    assert settings.folder.path == Path("data")
    ports = (settings.portal_port, settings.viewer_port, settings.mailbox_port)
    assert ports == (8400, 8401, 8402)
    assert settings.smtp_port == 8425
    assert settings.built_in_mailbox


def test_everything_can_be_set(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch(mode=0o600)
    settings = Settings.from_env(
        {
            "LETTERLOCK_DATA": str(tmp_path),
            "LETTERLOCK_PORT_BASE": "9000",
            "LETTERLOCK_HOST": "0.0.0.0",  # noqa: S104  # with a certificate it may
            "LETTERLOCK_CERTIFICATE_FILE": str(certificate),
            "LETTERLOCK_PRIVATE_KEY_FILE": str(key),
            "LETTERLOCK_SMTP_HOST": "relay.example.org",
            "LETTERLOCK_SMTP_PORT": "587",
            "LETTERLOCK_UNDO_SECONDS": "0",
            "LETTERLOCK_LINK_DAYS": "3",
            "LETTERLOCK_DEMO": "yes",
        }
    )
    assert settings == Settings(
        data=tmp_path,
        port_base=9000,
        host="0.0.0.0",  # noqa: S104
        certificate=certificate,
        private_key=key,
        smtp_host="relay.example.org",
        smtp_port=587,
        undo_window=timedelta(0),
        link_life=timedelta(days=3),
        demo=True,
        broker_port=9030,  # beside the others
    )
    assert not settings.built_in_mailbox


def test_the_mailbox_moves_with_the_port_base() -> None:
    settings = Settings.from_env({"LETTERLOCK_PORT_BASE": "9000"})
    assert settings.smtp_port == 9025
    assert settings.built_in_mailbox


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATA", ""),
        ("PORT_BASE", "s3cret"),
        ("PORT_BASE", "0"),
        ("PORT_BASE", "65511"),
        ("HOST", "s3cret"),
        ("CERTIFICATE_FILE", "/absent/s3cret"),
        ("PRIVATE_KEY_FILE", "/absent/s3cret"),
        ("SMTP_HOST", ""),
        ("SMTP_HOST", "s3cret host"),
        ("SMTP_HOST", "s3cret\n"),
        ("SMTP_PORT", "65536"),
        ("UNDO_SECONDS", "-1"),
        ("UNDO_SECONDS", "301"),
        ("LINK_DAYS", "0"),
        ("LINK_DAYS", "8"),
        ("LINK_DAYS", "99999999999999999999"),
        ("DEMO", "s3cret"),
    ],
)
def test_a_bad_value_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"LETTERLOCK_{name} ") as refused:
        Settings.from_env({f"LETTERLOCK_{name}": value})
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_plain_http_is_for_loopback_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not loopback"):
        Settings.from_env({"LETTERLOCK_HOST": "192.0.2.1"})
    assert Settings.from_env({"LETTERLOCK_HOST": "::1"}).host == "::1"
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    with pytest.raises(SettingsError, match="go together"):
        Settings.from_env({"LETTERLOCK_CERTIFICATE_FILE": str(certificate)})


def test_a_private_key_that_anyone_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    key.chmod(0o644)
    named = {"CERTIFICATE_FILE": str(key), "PRIVATE_KEY_FILE": str(key)}
    with pytest.raises(SettingsError, match="PRIVATE_KEY_FILE"):
        Settings.from_env({f"LETTERLOCK_{k}": v for k, v in named.items()})


def test_the_data_folder_has_a_place_for_everything(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    folder.create()  # again changes nothing
    made = {p.name: p.stat().st_mode & 0o777 for p in folder.path.iterdir()}
    assert made == dict.fromkeys(["blobs", "keys", "log", "read", "run"], 0o700)
    assert folder.path.stat().st_mode & 0o777 == 0o700
    files = (folder.store, folder.tombstones, folder.read("crm"), folder.key_db("crm"))
    names = [str(path.relative_to(folder.path)) for path in files]
    assert names == ["store.db", "tombstones.log", "read/crm.db", "keys/crm.db"]


@pytest.mark.parametrize("exposed", [".", "keys"])
def test_a_folder_that_others_can_touch_is_refused(
    tmp_path: Path, exposed: str
) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    (folder.path / exposed).chmod(0o755)
    with pytest.raises(SettingsError, match="chmod go-rwx"):
        folder.create()


@pytest.mark.parametrize(("owner", "fits"), [(1000, True), (0, True), (1001, False)])
def test_what_belongs_to_another_user_is_refused(owner: int, *, fits: bool) -> None:
    found = os.stat_result((0o100600, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    if fits:
        refuse_exposed(Path("x"), found, owner=1000)
    else:
        with pytest.raises(SettingsError, match="another user"):
            refuse_exposed(Path("x"), found, owner=1000)
