"""One description, started; and what may then be asked of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from deploy import prepare
from tests.deploy.manifests import ROOT
from tests.deploy.rehearsal import cluster, machine
from tests.deploy.rehearsal.image import Image, ours, system
from tests.deploy.rehearsal.network import (
    NAMES,
    OUTSIDE,
    WAYS_IN,
    Network,
    describe,
)
from tests.deploy.rehearsal.operator import Act
from tests.deploy.rehearsal.plan import Container, Plan, Pod
from tests.deploy.rehearsal.sandbox import (
    DidNotStart,
    Node,
    Running,
    end,
    execute,
    holds,
    inside,
)
from tests.deploy.rehearsal.watch import Watch

READY: Final = 480.0  # s until every probe holds
AGAIN: Final = 2.0  # s before what ended is started again
BROKER: Final = {
    "PATH": "/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/var/lib/rabbitmq",
    "LANG": "C.UTF-8",
}
"""What the broker's own image adds; the program is Debian's."""


class Rehearsal:
    """One description, started."""

    def __init__(self, what: str, folder: Path) -> None:
        """Lay everything out below `folder`; nothing runs yet."""
        self._what = what
        self._folder = folder
        self._image = ours()
        self.plan = self._planned(first=True)
        self.network = Network(self.plan)
        self.running: dict[str, Running] = {}
        self._images: dict[str, Image] = {
            "letterlock": self._image,
            "rabbitmq": system(),
        }
        self._helpers: list[subprocess.Popen[bytes]] = []
        self.peaks: dict[str, int] = {}  # percent of what it may
        self.fallen: dict[str, str] = {}  # name -> what it said before it ended

    def _planned(self, *, first: bool) -> Plan:
        if self._what == "compose":
            told = {"LETTERLOCK_FIRST_START": "yes"} if first else {}
            return machine.plan(self._folder, self._image, told)
        overlay = f"{self._what}-first" if first else self._what
        return cluster.plan_of(overlay, self._folder, self._image, WAYS_IN)

    def start(self) -> None:
        """Start all at once, as a cluster does."""
        self.network.build(
            (frm, to, port)
            for frm, to, port in self.plan.edges
            if {frm, to} <= {pod.name for pod in self.plan.pods} | {OUTSIDE, NAMES}
        )
        self.watch = Watch(self.network)
        known = self._serve_names()
        self._node = Node(self._folder, self._images, partial(self._files, known))
        for pod in self.plan.pods:
            if pod.name == "store":
                self._play_store(pod)
            elif pod.component != "once":
                self._begin(pod)

    def rotate(self, *, forget: bool) -> None:
        """Make every service's next key, or take away the ones before it."""
        secrets = self._folder / "secrets"
        if not forget:
            prepare.prepare(secrets, new_keks=True)
        for keys in (secrets / "keys").iterdir() if forget else ():
            (keys / "kek-1").unlink()

    def start_again(self) -> None:
        """Start what was stopped over what it kept, no longer for the first time."""
        for pod in self._planned(first=False).pods:
            if pod.name in self.running and pod.component != "server":
                self._begin(pod)

    def _begin(self, pod: Pod) -> None:
        try:
            for one in pod.first:
                held = self._node.finish(pod, one)
                self._within(f"{pod.name} (first)", held, one)
        except DidNotStart as wrong:
            raise SystemExit(str(wrong)) from None
        main = pod.main
        if main.image == "rabbitmq":
            main = _broker(main)
        before = self.running.get(pod.name)
        self.running[pod.name] = self._node.start(pod, main)
        self.running[pod.name].starts = before.starts + 1 if before else 1

    def _within(self, name: str, held: int, one: Container) -> None:
        self.peaks[name] = round(100 * held / one.memory)

    def await_ready(self) -> None:
        """Ask every probe until all hold; start again what ends meanwhile."""
        waiting = {
            (name, check) for name, one in self.running.items()
            for check in one.pod.checks
        }  # fmt: skip
        until = time.monotonic() + READY
        while waiting:
            for name, check in sorted(waiting, key=str):
                one = self.running[name]
                if one.process.poll() is not None:
                    self.fallen[name] = one.said()
                    time.sleep(AGAIN)
                    self._begin(one.pod)
                elif holds(check, one, self.network.addresses(name)[0]):
                    waiting.discard((name, check))
            if time.monotonic() > until:
                logs = "".join(
                    f"\n--- {name}\n{self.running[name].said()}"
                    for name in {name for name, _ in waiting}
                )
                raise SystemExit(f"never ready: {sorted(waiting, key=str)}{logs}")
            time.sleep(0.3)

    def act(self, act: Act) -> dict[str, Any]:
        """Do what a runbook says, and tell what came of it."""
        if act.kind == "enter":
            done = execute(self.running[act.pod], *act.words)
            return {"status": done.returncode, "said": done.stdout + done.stderr}
        if act.kind == "once":
            (pod,) = (pod for pod in self.plan.pods if pod.name == act.pod)
            return self._once(pod, act.words)
        if act.kind == "stop":
            status, _ = end(self.running[act.pod])
            return {"status": status, "said": ""}
        self._begin(self.running[act.pod].pod)
        self.await_ready()
        return {"status": 0, "said": ""}

    def _once(self, pod: Pod, words: tuple[str, ...]) -> dict[str, Any]:
        for one in pod.first:
            self._within(f"{pod.name} (first)", self._node.finish(pod, one), one)
        main = pod.main
        if words:  # in place of those in the file, as compose does
            kept = main.words[: len(main.words) - len(pod.words)]
            main = replace(main, words=(*kept, *words))
        running = self._node.start(pod, main)
        running.process.wait(180)
        return {"status": running.process.returncode, "said": running.said()}

    def main_job(self) -> dict[str, bool]:
        """Let people do it from outside; return what held."""
        roads, hosts = [], "127.0.0.1 localhost\n"
        for number, address in enumerate((self.plan.portal, self.plan.viewer), 1):
            asked, at = urlsplit(address), f"127.0.1.{number}"
            hosts += f"{at} {asked.hostname}\n"
            pod, port, name = self.plan.hosts[str(asked.hostname)]
            to = self.network.addresses(pod)[0]
            tls = self._folder / "secrets" / "tls" / pod
            roads.append(
                {
                    "at": at,
                    "port": asked.port or 443,
                    "to": to,
                    "to_port": port,
                    "name": name,
                    "shown": [str(tls / "tls.crt"), str(tls / "tls.key")],
                }
            )
        (self._folder / "hosts").write_text(hosts)
        portal, catcher = self.running["portal-web"], self.running["mailbox"]
        told = self._folder / "people.json"
        told.write_text(json.dumps({
            "roads": roads,
            "portal": self.plan.portal,
            "viewer": self.plan.viewer,
            "trust": str(self.plan.trust),
            "portal_web": inside(portal),
            "variables": portal.container.variables,
            "mailbox": ["nsenter", f"--net=/proc/{catcher.inside}/ns/net"],
        }))  # fmt: skip
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        done = subprocess.run(
            [
                *("nsenter", f"--net=/run/netns/{OUTSIDE}", "unshare", "--mount"),
                *("sh", "-c", script, str(self._folder / "hosts")),
                *(sys.executable, "-m", "tests.deploy.rehearsal.people", str(told)),
            ],
            cwd=ROOT,
            env={**os.environ, "REQUESTS_CA_BUNDLE": str(self.plan.trust)},
            capture_output=True,
            text=True,
            check=False,
            timeout=480,
        )
        if done.returncode:
            logs = "".join(
                f"\n--- {n}\n{r.said()[-1500:]}" for n, r in self.running.items()
            )
            raise SystemExit(f"{done.stderr[-4000:]}{logs}")
        held: dict[str, bool] = json.loads(done.stdout)
        return held

    def stop(self) -> dict[str, list[float]]:
        """End what is ours, kindly, and return exit status and seconds of each."""
        ended: dict[str, list[float]] = {}
        for name, one in self.running.items():
            if one.container.image == "letterlock":
                one.measure()
                self._within(name, one.peak, one.container)
                ended[name] = list(end(one))
        return ended

    def close(self) -> None:
        """End everything else."""
        self.watch.stop()
        for one in self.running.values():
            one.process.kill()
        for helper in self._helpers:
            helper.terminate()

    def _serve_names(self) -> dict[str, str]:
        known = self.network.known()
        if self.plan.domains:
            path = self._folder / "names.json"
            describe(known, path)
            self._help(NAMES, "tests.deploy.rehearsal.names", str(path))
        return known

    def _files(self, known: dict[str, str], pod: Pod) -> dict[str, str]:
        """Return what a kubelet or Docker writes into a root."""
        own = f"{self.network.addresses(pod.name)[0]} {pod.name}"
        hosts = f"127.0.0.1 localhost\n::1 localhost\n{own}\n"
        if not self.plan.domains:
            hosts += "".join(f"{address} {name}\n" for name, address in known.items())
            return {"/etc/hosts": hosts, "/etc/resolv.conf": ""}
        asked = self.network.addresses(NAMES)[0]
        search = " ".join((*self.plan.domains, "cluster.local"))
        text = f"nameserver {asked}\nsearch {search}\noptions ndots:5\n"
        return {"/etc/hosts": hosts, "/etc/resolv.conf": text}

    def _play_store(self, pod: Pod) -> None:
        held = {mount.target: mount.source for mount in pod.main.mounts}
        tail = f".{self.plan.domains[0]}" if self.plan.domains else ""
        nodes = [
            f"{name.removesuffix(tail)}={address}"
            for name, address in zip(
                pod.names, self.network.addresses("store"), strict=True
            )
            if name.startswith("store-")  # not what stands for all of them
        ]
        tls, accounts = held["/run/tls"], held["/run/accounts"]
        module = "tests.deploy.rehearsal.store"
        self._help("store", module, str(tls), f"{accounts}/admin", *nodes)

    def _help(self, where: str, module: str, *words: str) -> None:
        log = (self._folder / f"{where}.log").open("wb")
        enter = ["nsenter", f"--net=/run/netns/{where}"]
        self._helpers.append(
            subprocess.Popen(
                [*enter, sys.executable, "-m", module, *words],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        )


def _broker(main: Container) -> Container:
    words = main.words or ("rabbitmq-server",)
    return replace(main, words=words, variables={**BROKER, **main.variables})
