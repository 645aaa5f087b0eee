"""Settings are read once; what is wrong is named and never shown."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.compose import portal_url, viewer_url
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
        ("STORE_URI", "s3cret"),
        ("STORE_URI", "kurrentdb://me:s3cret@localhost:2113"),
        ("STORE_URI", "kurrentdb://local host:2113/s3cret"),
        ("STORE_CA_FILE", "/absent/s3cret"),
        ("STORE_ACCOUNT_FILE", "/absent/s3cret"),
        ("PORTAL_URL", "s3cret"),
        ("PORTAL_URL", "http://s3cret.example.org"),
        ("PORTAL_URL", "ftp://localhost/s3cret"),
        ("PORTAL_URL", "https://"),
        ("PORTAL_URL", "https://s3cret.example.org/"),
        ("PORTAL_URL", "https://s3cret.example.org/staff"),
        ("PORTAL_URL", "https://portal.example.org?s3cret"),
        ("PORTAL_URL", "https://portal.example.org#s3cret"),
        ("VIEWER_URL", "https://s3cret:word@letters.example.org"),
        ("VIEWER_URL", "https://s3cret@letters.example.org"),
        ("VIEWER_URL", "https://Letters.s3cret.org"),
        ("VIEWER_URL", "https://letters.s3cret.org:443"),
        ("VIEWER_URL", "http://localhost:80"),
        ("VIEWER_URL", "https://letters.s3cret.org:"),
        ("VIEWER_URL", "https://letters.s3cret.org:99999"),
        ("VIEWER_URL", "https://[s3cret"),
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


def test_where_the_store_and_the_public_are_can_be_set(tmp_path: Path) -> None:
    ca, account = tmp_path / "ca.pem", tmp_path / "account"
    ca.touch()
    account.touch()
    told = {
        "LETTERLOCK_STORE_URI": "kurrentdb://a:2113,b:2113,c:2113?tls=true",
        "LETTERLOCK_STORE_CA_FILE": str(ca),
        "LETTERLOCK_STORE_ACCOUNT_FILE": str(account),
        "LETTERLOCK_PORTAL_URL": "https://portal.example.org",
        "LETTERLOCK_VIEWER_URL": "https://letters.example.org:8443",
    }
    settings = Settings.from_env(told)
    assert settings == Settings(
        store_uri="kurrentdb://a:2113,b:2113,c:2113?tls=true",
        store_ca=ca,
        store_account=account,
        portal_base="https://portal.example.org",
        viewer_base="https://letters.example.org:8443",
    )
    assert told.items() <= settings.env().items()
    assert portal_url(settings) == "https://portal.example.org"
    assert viewer_url(settings) == "https://letters.example.org:8443"


def test_the_public_addresses_are_where_the_sites_listen_unless_set() -> None:
    settings = Settings.from_env({})
    assert portal_url(settings) == "http://127.0.0.1:8400"
    assert viewer_url(settings) == "http://localhost:8401"
    near = Settings.from_env({"LETTERLOCK_PORTAL_URL": "http://127.0.0.1:9000"})
    assert portal_url(near) == "http://127.0.0.1:9000"


def test_what_reaches_a_store_needs_a_store(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for name in ("STORE_CA_FILE", "STORE_ACCOUNT_FILE"):
        with pytest.raises(SettingsError, match="need LETTERLOCK_STORE_URI"):
            Settings.from_env({f"LETTERLOCK_{name}": str(file)})


def test_portal_and_viewer_share_no_host_name(tmp_path: Path) -> None:
    shared = {
        "LETTERLOCK_PORTAL_URL": "https://example.org",
        "LETTERLOCK_VIEWER_URL": "https://example.org:8443",
    }
    with pytest.raises(SettingsError, match="host names of their own"):
        Settings.from_env(shared)
    key = tmp_path / "key.pem"
    key.touch(mode=0o600)
    plain = {
        "LETTERLOCK_CERTIFICATE_FILE": str(key),
        "LETTERLOCK_PRIVATE_KEY_FILE": str(key),
        "LETTERLOCK_PORTAL_URL": "http://localhost:8400",
    }
    with pytest.raises(SettingsError, match="https"):
        Settings.from_env(plain)


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


def test_proxies_are_listed_by_network() -> None:
    listed = {"LETTERLOCK_TRUSTED_PROXIES": "10.42.7.0/24, fd00:42::/64,192.0.2.1"}
    settings = Settings.from_env(listed)
    assert [str(network) for network in settings.trusted_proxies] == [
        "10.42.7.0/24",
        "fd00:42::/64",
        "192.0.2.1/32",
    ]
    assert Settings.from_env(settings.env()) == replace(
        settings, data=settings.data.absolute()
    )
    assert Settings.from_env({"LETTERLOCK_TRUSTED_PROXIES": ""}).trusted_proxies == ()


@pytest.mark.parametrize(
    "senseless",
    [
        "0.0.0.0/0",
        "::/0",
        "128.0.0.0/1",
        "fc00::/7",
        "10.42.7.1/24",
        "fd00::1/64",
        "::ffff:10.0.0.0/104",
        "10.0.0.0/8,",
        "10.0.0.0/8 10.1.0.0/16",
        "everywhere",
    ],
)
def test_proxies_that_would_be_everybody_or_nobody_are_refused(senseless: str) -> None:
    with pytest.raises(
        SettingsError, match=r"TRUSTED_PROXIES.*10\.42\.7\.0/24"
    ) as told:
        Settings.from_env({"LETTERLOCK_TRUSTED_PROXIES": senseless})
    assert senseless not in str(told.value)
