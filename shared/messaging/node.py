"""A private RabbitMQ node: its own name, ports, cookie and folder; ended by its pid.

For one host: tests start one, and so does `letterlock run-distributed`. It listens on
loopback only, holds the definitions it is given and no guest, and shares nothing with a
RabbitMQ that the system runs.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess  # nosec B404  # starts Debian's own programs, no shell
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import Fault

PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTS: Final = 90.0  # s a node may take
ENDS: Final = 20.0  # s a node gets to end by itself


class NoBroker(Fault):
    """The private RabbitMQ node could not be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a node shows its callers, so that it need not be believed; PEM files."""

    ca: Path
    certificate: Path
    key: Path


class Node:
    """One node and its port mapper, as two children of this process."""

    def __init__(
        self,
        folder: Path,
        port: int,
        definitions: Mapping[str, object],
        tls: Tls | None = None,
    ) -> None:
        """Keep everything under `folder`; use `port` and the two after it.

        With `tls` it speaks nothing else, TLS 1.2 or newer.
        """
        self._folder = folder
        self._port = port
        self._definitions = definitions
        self._tls = tls
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process group of the node, to be killed by a test."""
        if self._server is None:
            raise NoBroker("it does not run")
        return self._server.pid

    @property
    def log(self) -> Path:
        """Return the folder of the node's own log."""
        return self._folder / "log"

    def start(self) -> None:
        """Start the node and wait until it takes connections.

        Raises:
            NoBroker: RabbitMQ is not installed, or the node did not come up.
        """
        epmd = shutil.which("epmd")
        if not PROGRAM.exists() or epmd is None:
            message = "RabbitMQ is missing; install Debian's package rabbitmq-server"
            raise NoBroker(message)
        self._prepare()
        env = self._environment()
        if self._epmd is None:
            self._epmd = subprocess.Popen(  # noqa: S603  # nosec B603  # fixed words
                [epmd, "-address", "127.0.0.1", "-port", str(self._port + 2)],
                env=env,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        with (self._folder / "node.out").open("ab") as out:
            self._server = subprocess.Popen(  # noqa: S603  # nosec B603  # fixed words
                [PROGRAM],
                env=env,
                cwd=self._folder,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self._await()

    def stop(self) -> None:
        """End the node and its port mapper."""
        for child in (self._server, self._epmd):
            if child is not None:
                _end(child, ENDS if child is self._server else 2.0)
        self._server = self._epmd = None

    def control(self, *words: str) -> str:
        """Run `rabbitmqctl` on the node, as its owner, and return what it said.

        Raises:
            NoBroker: it failed.
        """
        program = PROGRAM.with_name("rabbitmqctl")
        done = subprocess.run(  # noqa: S603  # nosec B603  # for the node's owner
            [program, *words],
            env=self._environment(),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=STARTS,
            check=False,
        )
        if done.returncode:
            message = f"rabbitmqctl {words[0]} failed: {done.stderr[-300:]}"
            raise NoBroker(message)
        return done.stdout

    def kill(self) -> None:
        """End the node at once, as a power cut would; `start` brings it back."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def _prepare(self) -> None:
        for folder in (self._folder, self._folder / "db", self.log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cookie = self._folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)
        definitions = self._folder / "definitions.json"
        definitions.unlink(missing_ok=True)
        definitions.touch(mode=0o600)
        definitions.write_text(json.dumps(self._definitions))
        (self._folder / "rabbitmq.conf").write_text(
            f"{self._listeners()}\n"
            f"load_definitions = {definitions.absolute()}\n"
            "loopback_users.guest = true\n"
            "log.console = false\n"
            "log.file.level = warning\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 64MB\n"
        )
        (self._folder / "enabled_plugins").write_text("[].\n")
        (self._folder / "env.conf").write_text("")

    def _listeners(self) -> str:
        here = f"127.0.0.1:{self._port}"
        if self._tls is None:
            return f"listeners.tcp.1 = {here}"
        return "\n".join(
            (
                "listeners.tcp = none",
                f"listeners.ssl.1 = {here}",
                f"ssl_options.cacertfile = {self._tls.ca.absolute()}",
                f"ssl_options.certfile = {self._tls.certificate.absolute()}",
                f"ssl_options.keyfile = {self._tls.key.absolute()}",
                "ssl_options.versions.1 = tlsv1.3",
                "ssl_options.versions.2 = tlsv1.2",
            )
        )

    def _environment(self) -> dict[str, str]:
        folder = self._folder.absolute()
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._port + 2),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_NODENAME": f"letterlock-{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._port + 1),
            "RABBITMQ_MNESIA_BASE": str(folder / "db"),
            "RABBITMQ_LOG_BASE": str(self.log.absolute()),
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
            ),
        }

    def _await(self) -> None:
        end = time.monotonic() + STARTS
        while time.monotonic() < end:
            if self._server is None or self._server.poll() is not None:
                message = f"it ended at once; see {self._folder / 'node.out'}"
                raise NoBroker(message)
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port), timeout=1) as probe,
            ):
                probe.settimeout(2)
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                if probe.recv(1):  # its greeting, or over TLS its protest
                    return
            time.sleep(0.2)
        message = f"it did not come up in {STARTS:.0f} s; see {self.log}"
        raise NoBroker(message)


def _end(child: subprocess.Popen[bytes], patience: float) -> None:
    """End a child and whatever it started, kindly first."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
