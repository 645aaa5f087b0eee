"""Settings: read once, checked at start, passed as values. No other `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from shared import setting_values as values
from shared.setting_values import HERE, LONGEST_LINK

T = TypeVar("T")

_OTHERS: Final = 0o077  # any right of group or world
_HIGHEST_PORT: Final = 65_535
_MAILBOX_SMTP: Final = 25  # above the port base
_BROKER: Final = 30  # above the port base, for a private broker
_HIGHEST_USED: Final = 32  # above the port base
_YES_NO: Final = {"yes": True, "no": False}
_WORLD: Final = 0o007
PROXIES_ARE: Final = (
    ": name the networks of your own proxies, with commas between, such as "
    "10.42.7.0/24, without bits of a host, not wider than /8 (IPv6: /16), IPv4 as IPv4"
)


class SettingsError(Exception):
    """A setting or a folder is not fit to start with; says which, never its value."""


def refuse_exposed(path: Path, found: os.stat_result, *, owner: int) -> None:
    """Refuse what anyone but `owner` (a numeric user id) or root can touch.

    Raises:
        SettingsError: wrong owner, or rights for group or world; says how to mend it.
    """
    if found.st_uid not in {owner, 0}:
        message = f"{path} belongs to another user; chown it to the one that runs this"
        raise SettingsError(message)
    if found.st_mode & _OTHERS:
        message = f"{path} is open to other users; run: chmod go-rwx {path}"
        raise SettingsError(message)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where everything a host keeps lies. Knowing a path opens nothing."""

    path: Path

    @property
    def store(self) -> Path:
        """Return the event store's database."""
        return self.path / "store.db"

    @property
    def blobs(self) -> Path:
        """Return the folder of sealed renditions."""
        return self.path / "blobs"

    @property
    def keys(self) -> Path:
        """Return the folder of key files and key databases; never in a data backup."""
        return self.path / "keys"

    @property
    def run(self) -> Path:
        """Return the folder of sockets and locks."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        """Return the folder of the evidence log, one folder a year."""
        return self.path / "log"

    @property
    def tombstones(self) -> Path:
        """Return the list of erased contacts; goes with every key backup."""
        return self.path / "tombstones.log"

    def read(self, service: str) -> Path:
        """Return the database of a service's read models."""
        return self.path / "read" / f"{service}.db"

    def counts(self, service: str) -> Path:
        """Return the database of a service's counts of the hour, never rebuilt."""
        return self.path / "read" / f"{service}-counts.db"

    def key_db(self, service: str) -> Path:
        """Return the database of a service's data keys."""
        return self.keys / f"{service}.db"

    def create(self) -> None:
        """Make the folders that are missing, open to this user alone (0700).

        Raises:
            SettingsError: the data or keys folder exists and others can touch it.
            OSError: a folder cannot be made.
        """
        read = self.path / "read"
        for folder in (self.path, self.keys, self.blobs, read, self.log, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.path, self.keys):
            refuse_exposed(folder, folder.stat(), owner=os.geteuid())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process may be told from outside. Holds no secret, only paths."""

    data: Path = Path("data")
    port_base: int = 8400
    host: str = "127.0.0.1"
    certificate: Path | None = None  # PEM chain
    private_key: Path | None = field(default=None, repr=False)  # PEM
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 8425  # the built-in mailbox, unless set
    undo_window: timedelta = timedelta(seconds=10)
    link_life: timedelta = LONGEST_LINK
    demo: bool = False
    broker_host: str = "127.0.0.1"  # RabbitMQ, for services in processes of their own
    broker_port: int = 8430
    broker_vhost: str = "letterlock"
    broker_ca: Path | None = None  # PEM; with it TLS, the broker's certificate checked
    store_uri: str | None = None  # KurrentDB or PostgreSQL; otherwise in the folder
    store_ca: Path | None = None  # PEM that the store's servers must descend from
    store_account: Path | None = None  # one line, user:password
    portal_base: str | None = None  # address as the public sees it, if it is another
    viewer_base: str | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # in front of the pages

    @property
    def folder(self) -> DataFolder:
        """Return the layout of the data folder."""
        return DataFolder(self.data)

    @property
    def portal_port(self) -> int:
        """Return the port of the staff portal."""
        return self.port_base

    @property
    def viewer_port(self) -> int:
        """Return the port of the pages that recipients see."""
        return self.port_base + 1

    @property
    def mailbox_port(self) -> int:
        """Return the port of the built-in mailbox's page."""
        return self.port_base + 2

    @property
    def built_in_mailbox(self) -> bool:
        """Say whether mail goes to the mailbox that this host runs itself."""
        own = self.port_base + _MAILBOX_SMTP
        return self.smtp_port == own and self.smtp_host == "127.0.0.1"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read `LETTERLOCK_*`; files are named, never their content.

        Raises:
            SettingsError: a value is malformed or out of bounds, a file is not there,
                certificate and key do not come together, the address is not loopback
                and there is no certificate, or settings deny each other.
        """
        base = _read(
            env, "PORT_BASE", "8400", values.port(_HIGHEST_PORT - _HIGHEST_USED)
        )
        mailbox, broker = str(base + _MAILBOX_SMTP), str(base + _BROKER)
        settings = cls(
            data=_read(env, "DATA", "data", values.folder),
            port_base=base,
            host=_read(env, "HOST", "127.0.0.1", lambda text: str(ip_address(text))),
            certificate=_read(env, "CERTIFICATE_FILE", "", values.file),
            private_key=_read(env, "PRIVATE_KEY_FILE", "", values.file),
            smtp_host=_read(env, "SMTP_HOST", "127.0.0.1", values.name),
            smtp_port=_read(env, "SMTP_PORT", mailbox, values.port(_HIGHEST_PORT)),
            undo_window=_read(env, "UNDO_SECONDS", "10", values.undo),
            link_life=_read(env, "LINK_DAYS", "7", values.life),
            demo=_read(env, "DEMO", "no", lambda text: _YES_NO[text]),
            broker_host=_read(env, "BROKER_HOST", "127.0.0.1", values.name),
            broker_port=_read(env, "BROKER_PORT", broker, values.port(_HIGHEST_PORT)),
            broker_vhost=_read(env, "BROKER_VHOST", "letterlock", values.name),
            broker_ca=_read(env, "BROKER_CA_FILE", "", values.file),
            store_uri=_read(env, "STORE_URI", "", values.store_uri),
            store_ca=_read(env, "STORE_CA_FILE", "", values.file),
            store_account=_read(env, "STORE_ACCOUNT_FILE", "", values.file),
            portal_base=_read(env, "PORTAL_URL", "", values.base_address),
            viewer_base=_read(env, "VIEWER_URL", "", values.base_address),
            trusted_proxies=_read(
                env, "TRUSTED_PROXIES", "", values.networks, PROXIES_ARE
            ),
        )
        _refuse_bare(settings)
        _refuse_mixed(settings)
        return settings

    def env(self) -> dict[str, str]:
        """Return the variables from which `from_env` reads these settings again."""
        named: dict[str, object] = {
            "DATA": self.data.absolute(),
            "PORT_BASE": self.port_base,
            "HOST": self.host,
            "CERTIFICATE_FILE": self.certificate,
            "PRIVATE_KEY_FILE": self.private_key,
            "SMTP_HOST": self.smtp_host,
            "SMTP_PORT": self.smtp_port,
            "UNDO_SECONDS": int(self.undo_window.total_seconds()),
            "LINK_DAYS": self.link_life.days,
            "DEMO": "yes" if self.demo else "no",
            "BROKER_HOST": self.broker_host,
            "BROKER_PORT": self.broker_port,
            "BROKER_VHOST": self.broker_vhost,
            "BROKER_CA_FILE": self.broker_ca,
            "STORE_URI": self.store_uri,
            "STORE_CA_FILE": self.store_ca,
            "STORE_ACCOUNT_FILE": self.store_account,
            "PORTAL_URL": self.portal_base,
            "VIEWER_URL": self.viewer_base,
            "TRUSTED_PROXIES": ",".join(map(str, self.trusted_proxies)),
        }
        return {f"LETTERLOCK_{n}": str(v) for n, v in named.items() if v is not None}


def _refuse_bare(settings: Settings) -> None:
    if (settings.certificate is None) != (settings.private_key is None):
        message = "LETTERLOCK_CERTIFICATE_FILE and _PRIVATE_KEY_FILE go together"
        raise SettingsError(message)
    if settings.certificate is None and not ip_address(settings.host).is_loopback:
        message = "LETTERLOCK_HOST is not loopback: set a certificate and private key"
        raise SettingsError(message)
    if settings.broker_ca is None and settings.broker_host not in HERE:
        message = (
            "LETTERLOCK_BROKER_HOST is not loopback: set LETTERLOCK_BROKER_CA_FILE"
        )
        raise SettingsError(message)
    if settings.private_key and settings.private_key.stat().st_mode & _WORLD:
        message = "LETTERLOCK_PRIVATE_KEY_FILE names a file that anyone can read"
        raise SettingsError(message)


def _refuse_mixed(settings: Settings) -> None:
    if settings.store_uri is None and (settings.store_ca or settings.store_account):
        message = "LETTERLOCK_STORE_CA_FILE and _ACCOUNT_FILE need LETTERLOCK_STORE_URI"
        raise SettingsError(message)
    bases = [base for base in (settings.portal_base, settings.viewer_base) if base]
    if len({urlsplit(base).hostname for base in bases}) < len(bases):
        message = "LETTERLOCK_PORTAL_URL and _VIEWER_URL need host names of their own"
        raise SettingsError(message)
    if settings.certificate and any(base.startswith("http:") for base in bases):
        message = "LETTERLOCK_PORTAL_URL and _VIEWER_URL: with a certificate, https"
        raise SettingsError(message)


def _read(
    env: Mapping[str, str],
    name: str,
    default: str,
    parse: Callable[[str], T],
    hint: str = "",
) -> T:
    try:
        return parse(env.get(f"LETTERLOCK_{name}", default))
    except (ValueError, KeyError, OverflowError):
        message = f"LETTERLOCK_{name} is not a value that can be used{hint}"
        raise SettingsError(message) from None
