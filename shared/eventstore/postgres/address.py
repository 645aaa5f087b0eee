"""Where the server is and how it is trusted: read once, checked before any call."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from psycopg.conninfo import make_conninfo
from typing_extensions import override

from shared.eventstore.ways import is_here, login_of, options_of
from shared.settings import SettingsError

SCHEMES: Final = ("postgresql", "postgres")
PORT: Final = 5432
_FIXED: Final = {
    "application_name": "letterlock",
    "client_encoding": "UTF8",
    "gssencmode": "disable",
    "hostaddr": "",  # or a variable could lead elsewhere
    "ssl_min_protocol_version": "TLSv1.2",
    "passfile": "/dev/null/none",  # cannot be: a password comes from our file alone
    "target_session_attrs": "read-write",  # of several servers, the primary
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The servers to look for the primary on, and what proves them and us."""

    targets: tuple[tuple[str, int], ...]  # host, or folder of a socket, and port
    database: str
    ca: Path | None = None  # PEM
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def from_uri(
        cls, uri: str, *, ca: Path | None = None, credentials: Path | None = None
    ) -> Address:
        """Read a URI such as `postgresql://a:5432,b:5432/letterlock`.

        A socket's folder stands in a query: `postgresql:///letterlock?host=/run/pg`.
        `ca` holds the certificates (PEM) that the servers must descend from; without
        it, those that the system trusts, and plain text on this machine.
        `credentials` holds one line, `user:password`.

        Raises:
            SettingsError: the URI or a file is not fit. The text shows no secret.
        """
        parts = urlsplit(uri)
        options = options_of(parts, {"host"})
        database = unquote(parts.path.removeprefix("/"))
        folder = options.get("host", "")
        if (
            parts.scheme not in SCHEMES
            or not database
            or bool(parts.netloc) == folder.startswith("/")
            or parts.fragment
        ):
            raise SettingsError(
                "the store's URI is not of the form postgresql://host:port,…/database"
            )
        named = [(folder, PORT)] if folder else list(map(_target, _split(parts.netloc)))
        return cls(
            targets=tuple(named),
            database=database,
            ca=ca,
            credentials=login_of(credentials) if credentials else None,
        )

    def conninfo(self, target: tuple[str, int], patience: float) -> bytes:
        """Return what libpq is to be told of one target. Holds the password.

        Everything that would otherwise come from the environment is said.
        """
        host, port = target
        span = int(patience * 1000)
        told = {
            **_FIXED,
            "host": host,
            "port": str(port),
            "dbname": self.database,
            "tcp_user_timeout": str(span),
            "options": f"-c statement_timeout={span} -c synchronous_commit=on"
            " -c default_transaction_isolation=read\\ committed"
            " -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off",
        }
        if self.ca:
            told |= {"sslmode": "verify-full", "sslrootcert": str(self.ca)}
        elif host.startswith("/") or is_here(host):
            told |= {"sslmode": "disable"}
        else:
            told |= {"sslmode": "verify-full", "sslrootcert": "system"}
        if self.credentials:
            user, password = self.credentials
            told |= {"user": user, "password": password}
            told |= {"require_auth": "scram-sha-256"}  # never shown in plain text
        return make_conninfo(**told).encode()

    @override
    def __str__(self) -> str:
        """Return the servers' names, for people."""
        return ", ".join(
            host if host.startswith("/") else f"{host}:{port}"
            for host, port in self.targets
        )


def _split(netloc: str) -> list[str]:
    return netloc.split(",")


def _target(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or host.startswith("/"):
        raise SettingsError("the store's URI names no server, or a port that is none")
    return host, port or PORT
