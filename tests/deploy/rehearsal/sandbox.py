"""Runs containers in namespaces of their own and asks their probes."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.deploy.rehearsal.image import Image
from tests.deploy.rehearsal.plan import Check, Container, Pod

ENTER: Final = Path(__file__).with_name("enter.py")
NSENTER: Final = shutil.which("nsenter") or "nsenter"
PATIENCE: Final = 120.0  # s a command inside may take
PROBED: Final = 15.0  # s a probe may take


class DidNotStart(Exception):
    """A container ended before it was asked to; holds what it said."""


@dataclass
class Running:
    """One container that runs."""

    pod: Pod
    container: Container
    process: subprocess.Popen[bytes]
    log: Path
    starts: int = 1
    peak: int = 0  # bytes it has held at most
    tried: list[int] = field(default_factory=list)

    @property
    def inside(self) -> int:
        """Return the container's first process, as the node numbers it."""
        number = self.process.pid
        while self.process.poll() is None:
            with suppress(OSError):
                path = Path(f"/proc/{number}/task/{number}/children")
                for child in path.read_text().split():
                    if Path(f"/proc/{child}/root").readlink() != Path("/"):
                        return int(child)  # it has stepped into its root
            time.sleep(0.01)
        raise DidNotStart(f"{self.pod.name}: {self.said()}")

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def measure(self) -> None:
        """Note the most memory held so far by the program."""
        for line in Path(f"/proc/{self.inside}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak = max(self.peak, int(line.split()[1]) * 1024)


class Node:
    """Starts what it is told to, below one folder."""

    def __init__(
        self,
        folder: Path,
        images: dict[str, Image],
        files: Callable[[Pod], dict[str, str]],
    ) -> None:
        """Keep logs and specifications in `folder`; each root gets `files`."""
        self._folder = folder
        self._images = images
        self._files = files
        self._count = 0
        for name in ("root", "log"):
            (folder / name).mkdir(mode=0o755)

    def start(self, pod: Pod, container: Container) -> Running:
        """Start a container and return at once."""
        self._count += 1
        log = self._folder / "log" / f"{pod.name}-{self._count}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{pod.name}"),
                    *("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child"),
                    *(
                        sys.executable,
                        "-I",
                        str(ENTER),
                        str(self._spec(pod, container)),
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        return Running(pod=pod, container=container, process=process, log=log)

    def finish(self, pod: Pod, container: Container) -> int:
        """Run an init container to its end and return the most memory it held.

        Raises:
            DidNotStart: it failed.
        """
        running = self.start(pod, container)
        while running.process.poll() is None:
            with suppress(DidNotStart, OSError):
                running.measure()
            time.sleep(0.005)
        if running.process.returncode:
            raise DidNotStart(f"{pod.name}: {running.said()}")
        return running.peak

    def _spec(self, pod: Pod, container: Container) -> Path:
        image = self._images[container.image]
        path = self._folder / f"spec-{self._count}.json"
        mounts = [
            {**vars(mount), "source": str(mount.source) if mount.source else ""}
            for mount in container.mounts
        ]
        told = {
            "root": str(self._folder / "root"),
            "image": image.binds,
            "links": image.links,
            "name": pod.name,
            "files": {**image.files, **self._files(pod)},
            "mounts": mounts,
            "folder": image.folder,
            "user": container.user,
            "group": container.group,
            "words": container.words,
            "variables": container.variables,
        }
        path.write_text(json.dumps(told))
        return path


def inside(running: Running, *words: str) -> list[str]:
    """Return the words that run a command within a container, as its user."""
    one = running.container
    return [
        *(NSENTER, "--target", str(running.inside)),
        *("--mount", "--net", "--pid", "--uts", "--root", "--wd"),
        *("--setgid", str(one.group), "--setuid", str(one.user), "--", *words),
    ]


def execute(
    running: Running, *words: str, patience: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """Run a command within a container, as `kubectl exec` would.

    One that takes longer than `patience` s is ended, with all it started: status -9.
    """
    child = subprocess.Popen(
        inside(running, *words),
        env=running.container.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = child.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
    return subprocess.CompletedProcess(words, child.returncode, out, err)


def holds(check: Check, running: Running, address: str) -> bool:
    """Ask one probe as the node's agent does: inside, or at the pod's address."""
    if check.command:
        done = execute(running, *check.command, patience=PROBED)
        return done.returncode == 0
    if not check.path:
        with socket.socket() as probe:
            probe.settimeout(PROBED)
            return probe.connect_ex((address, check.port)) == 0
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    site = http.client.HTTPSConnection(address, check.port, timeout=PROBED, context=tls)
    try:
        site.request("GET", check.path)
        return 200 <= site.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        site.close()


def end(running: Running) -> tuple[int, float]:
    """Stop a container as its host would: SIGTERM, patience, SIGKILL.

    Return the exit status (negative: killed by that signal) and the seconds it took.
    """
    began = time.monotonic()
    first = running.inside
    os.kill(first, signal.SIGTERM)
    try:
        status = running.process.wait(running.pod.grace)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()
        status = -signal.SIGKILL
    return status, time.monotonic() - began
