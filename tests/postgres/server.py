"""A private PostgreSQL for tests: on a free loopback port, ended by its pid.

As root it runs as the system's user `postgres`, for it refuses to run as root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from shared.eventstore.postgres import Address, layout
from tests.ports import a_quiet_port
from tests.waiting import LONG

ACCOUNT: Final = "letterlock"
PASSWORD: Final = "p@ss:w/rd%"  # of throw-away servers
_WITH_US: Final = ("setpriv", "--pdeathsig", "QUIT")  # however we end

_HBA: Final = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
_CONF: Final = """
listen_addresses = '127.0.0.1'
max_connections = 60
shared_buffers = 32MB
log_parameter_max_length = 0
"""


class NoServer(Exception):
    """PostgreSQL is not installed, or did not start."""


def programs() -> Path:
    """Return the folder of PostgreSQL's programs, the newest there is.

    Raises:
        NoServer: none; says how to mend it.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(path.parts[-3]),
    )
    on_path = shutil.which("initdb")
    if not found and on_path:
        found = [Path(on_path).resolve()]
    if not found:
        raise NoServer("tests start a PostgreSQL of their own: make servers")
    return found[-1].parent


class Server:
    """One server with its data in one folder and its socket in another.

    The way to the socket's must be short; the server's user must reach both.
    """

    def __init__(self, folder: Path, sockets: Path) -> None:
        """Make an empty server in `folder`; it does not run yet."""
        self.folder = folder
        self.sockets = sockets
        self.port = a_quiet_port()
        self._bin = programs()
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            for each in (folder, sockets):
                os.chown(each, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb", "--username=postgres", "--encoding=UTF8", "--locale=C",
            "--auth=trust", "--no-sync", f"--pgdata={self.data}",
        )  # fmt: skip
        self._write("pg_hba.conf", _HBA)
        self.configure(_CONF)
        self.configure(f"port = {self.port}\nunix_socket_directories = '{sockets}'\n")

    @property
    def data(self) -> Path:
        """Return the server's own folder."""
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """Return the process that all others of the server descend from."""
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """Return what the server wrote into its log."""
        return (self.folder / "log").read_text(errors="replace")

    def configure(self, lines: str) -> None:
        """Add settings; they hold from the next start on."""
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write(lines)

    def trust(self, key: bytes, certificate: bytes, who: str) -> None:
        """Speak TLS with key and certificate (PEM) to `who`, from the next start on."""
        self._write("pg_hba.conf", who)
        self._write("server.key", key.decode())
        self._write("server.crt", certificate.decode())
        self.configure("ssl = on\n")

    def start(self) -> None:
        """Run, and return when it answers.

        Raises:
            NoServer: it ended, or did not answer in time.
        """
        until = time.monotonic() + LONG
        while True:
            if self._process is None or self._process.poll() is not None:
                # after a kill, its children may need a moment to notice
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        [*_WITH_US, self._bin / "postgres", "-D", self.data],
                        stdout=log, stderr=log, cwd=self.folder, **self._as_user(),
                    )  # fmt: skip
            try:
                self.owner("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise NoServer(self.log[-3000:]) from None
                time.sleep(0.03)
            else:
                return

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it: SIGINT by its rules, SIGQUIT as if it crashed, SIGKILL at once."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(LONG)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(LONG)
        self._process = None

    def owner(self, database: str) -> psycopg.Connection[Any]:
        """Return a connection as the superuser, over the socket, in autocommit."""
        return psycopg.connect(
            host=str(self.sockets), port=self.port, dbname=database, user="postgres",
            autocommit=True,
        )  # fmt: skip

    def queue(self) -> int:
        """Return how many appends wait for the end of another one."""
        with self.owner("postgres") as owner:
            return owner.execute(
                "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            ).rowcount

    def prepare(self) -> None:
        """Make the account that programs use."""
        with self.owner("postgres") as owner:
            owner.execute(f"CREATE ROLE {ACCOUNT} LOGIN PASSWORD '{PASSWORD}'".encode())

    def store(self, name: str) -> str:
        """Make an empty store called `name`, whatever was there; return its URI."""
        with self.owner("postgres") as owner:
            known = owner.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
            if not known.rowcount:
                owner.execute(f"CREATE DATABASE {name}".encode())
        with self.owner(name) as owner:
            owner.execute("DROP SCHEMA IF EXISTS letterlock CASCADE")
            owner.execute(layout(ACCOUNT).encode())
        return self.uri(name)

    def uri(self, name: str) -> str:
        """Return the URI of a database."""
        return f"postgresql://127.0.0.1:{self.port}/{name}"

    def account(self, folder: Path, line: str = f"{ACCOUNT}:{PASSWORD}") -> Path:
        """Return a file of credentials in `folder`."""
        path = folder / "account"
        path.touch(mode=0o600)
        path.write_text(f"{line}\n")
        return path

    def address(self, name: str, folder: Path) -> Address:
        """Return where the store `name` is, with credentials laid into `folder`."""
        return Address.from_uri(self.uri(name), credentials=self.account(folder))

    def _run(self, program: str, *words: str) -> None:
        told = subprocess.run(
            [self._bin / program, *words],
            check=False, capture_output=True, text=True, cwd=self.sockets,
            timeout=2 * LONG, **self._as_user(),
        )  # fmt: skip
        if told.returncode:
            raise NoServer(told.stderr[-300:])

    def _as_user(self) -> dict[str, Any]:
        if not self._user:
            return {}
        ids = {"user": self._user.pw_uid, "group": self._user.pw_gid}
        return {**ids, "extra_groups": []}

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        path.touch(mode=0o600)
        path.write_text(text)
        if self._user:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)


@contextmanager
def private_server(*, under: Path | None = None) -> Iterator[Server]:
    """Run a server that has the program's account; remove it afterwards.

    Its data lie in a new folder `under` another, or where temporary files do.
    """
    with (
        tempfile.TemporaryDirectory(prefix="llpg-", dir=under) as data,
        tempfile.TemporaryDirectory(prefix="llpg-") as sockets,
    ):
        server = Server(Path(data), Path(sockets))
        try:
            server.start()
            server.prepare()
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # no last checkpoint: all of it goes
