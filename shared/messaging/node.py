"""A private RabbitMQ node: its own name, ports, cookie and folder; ended by its pid.

For one host: tests start one, and so does `letterlock run-distributed`. It listens on
loopback only, holds the definitions it is given and no guest, and shares nothing with a
RabbitMQ that the system runs. It ends with whoever started it.
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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.errors import Fault
from shared.leash import Leash
from shared.messaging.node_conf import Tls, configuration
from shared.ports import Port

__all__ = ["NoBroker", "Node", "Tls"]
PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTS: Final = 90.0  # s a node may take
ENDS: Final = 20.0  # s a node gets to end by itself
LEAVES: Final = 5.0  # s until the ports of a node that was killed are free


class NoBroker(Fault):
    """The private RabbitMQ node could not be started."""


class Node:
    """One node and its port mapper, as two children of this process."""

    def __init__(
        self,
        folder: Path,
        port: int,
        definitions: Mapping[str, object],
        tls: Tls | None = None,
        *,
        keep: Sequence[int] = (),
    ) -> None:
        """Keep everything under `folder`; use `port` and the two after it.

        With `tls` it speaks nothing else, TLS 1.2 or newer. `keep` are open files, such
        as a lock, that it holds as long as any process of it lives.
        """
        self._folder = folder
        self._port = port
        self._definitions = definitions
        self._tls = tls
        self._keep = keep
        self._leash = Leash()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process group of the node, to be killed by a test."""
        if self._server is None:
            raise NoBroker("it does not run")
        return self._server.pid

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._server is not None and self._server.poll() is None

    @property
    def log(self) -> Path:
        """Return the folder of the node's own log."""
        return self._folder / "log"

    def start(self) -> None:
        """Start the node and wait until it takes connections.

        Raises:
            NoBroker: RabbitMQ is not installed, a port is taken, or the node did not
                come up.
        """
        epmd = shutil.which("epmd")
        if not PROGRAM.exists() or epmd is None:
            message = "RabbitMQ is missing; install Debian's package rabbitmq-server"
            raise NoBroker(message)
        self._prepare()
        env = self._environment()
        self._await_free(self._port, self._port + 1)
        if self._epmd is None or self._epmd.poll() is not None:
            self._await_free(self._port + 2)
            self._epmd = self._leash.start(
                [epmd, "-address", "127.0.0.1", "-port", str(self._port + 2)],
                env=env,
                keep=self._keep,
                apart=True,
            )
        with (self._folder / "node.out").open("wb") as out:
            self._server = self._leash.start(
                [PROGRAM],
                env=env,
                cwd=self._folder,
                out=out,
                keep=self._keep,
                apart=True,
                ends_by="TERM",  # upon which its script ends the node
            )
        try:
            self._await()
        except NoBroker:
            self.kill()
            raise

    def stop(self) -> None:
        """End the node and its port mapper."""
        for child in (self._server, self._epmd):
            if child is not None:
                _end(child, ENDS if child is self._server else 2.0)
        self._server = self._epmd = None
        self._leash.close()

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
            configuration(self._port, definitions, self._tls)
        )
        (self._folder / "enabled_plugins").write_text("[].\n")
        (self._folder / "env.conf").write_text("")

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

    def _await_free(self, *ports: int) -> None:
        """Wait for what is left of a node that was killed; then a port is another's."""
        end = time.monotonic() + (LEAVES if self._epmd else 0.0)
        for number in ports:
            while Port(number=number).taken:
                if time.monotonic() > end:
                    message = f"another program listens on port {number}"
                    raise NoBroker(message)
                time.sleep(0.1)

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
