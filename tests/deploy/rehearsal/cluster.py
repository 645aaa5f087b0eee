"""A plan from rendered manifests, and from the secrets that the runbook makes."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from deploy import prepare
from tests.deploy import manifests
from tests.deploy.manifests import COMPONENT, NAME, ROOT, allowed, of_kind, pods
from tests.deploy.rehearsal.image import Image
from tests.deploy.rehearsal.plan import Check, Container, Mount, Plan, Pod

RUNBOOK: Final = ROOT / "docs" / "runbooks" / "start-stop.md"
FENCED: Final = re.compile(r"(?m)^```sh\n(.*?)^```$", re.DOTALL)
UNITS: Final = {"Mi": 1 << 20, "Gi": 1 << 30}
TRUSTED: Final = "LETTERLOCK_TRUSTED_PROXIES"
Manifest = dict[str, Any]
Contents = dict[tuple[str, str], dict[str, bytes]]  # kind and name -> files


def plan_of(overlay: str, folder: Path, image: Image, ways_in: str) -> Plan:
    """Return what `kubectl apply -k` of an overlay would start.

    Secrets, claims and volumes are laid out below `folder`, with the owners and modes
    that a kubelet gives them. `ways_in` is the network of the ingress.
    """
    hosts: dict[str, str] = {
        one["metadata"]["name"]: one["spec"]["rules"][0]["host"]
        for one in of_kind(overlay, "Ingress")
    }
    mark = "nginx.ingress.kubernetes.io/proxy-ssl-name"
    proven: dict[str, str] = {
        one["metadata"]["name"]: one["metadata"]["annotations"][mark]
        for one in of_kind(overlay, "Ingress")
    }
    prepare.prepare(folder / "secrets", list(hosts.values()))
    contents = _made_by_runbook(folder / "secrets", _namespace(overlay))
    for one in of_kind(overlay, "ConfigMap"):
        files = {name: text.encode() for name, text in one["data"].items()}
        if TRUSTED in files:  # as the runbook tells to
            files[TRUSTED] = ways_in.encode()
        contents["ConfigMap", one["metadata"]["name"]] = files
    volumes = _Volumes(folder, contents)
    ports = {
        f"{pod.labels[NAME]}": (pod.name, pod.spec["containers"][0]["ports"][0])
        for pod in pods(overlay)
        if pod.labels[COMPONENT] == "web"
    }
    return Plan(
        pods=tuple(_pod(overlay, pod, volumes, image) for pod in pods(overlay)),
        edges=frozenset(allowed(overlay)),
        domains=tuple(
            f"{name}svc.cluster.local" for name in (f"{_namespace(overlay)}.", "")
        ),
        portal=f"https://{hosts['portal']}",
        viewer=f"https://{hosts['viewer']}",
        trust=folder / "secrets" / "ca.crt",
        hosts={
            host: (ports[name][0], ports[name][1]["containerPort"], proven[name])
            for name, host in hosts.items()
        },
    )


class _Volumes:
    """Lays out volumes as a kubelet does."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        self._folder = folder
        self._contents = contents

    def of(self, pod: manifests.Pod) -> dict[str, Path]:
        """Return volume name -> folder on the node."""
        group = pod.spec["securityContext"]["fsGroup"]
        laid: dict[str, Path] = {}
        for volume in pod.spec["volumes"]:
            target = self._folder / "volumes" / pod.name / volume["name"]
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                target = _owned(self._folder / "claims" / claim, group, 0o2775)
            elif "emptyDir" in volume:
                _owned(target, group, 0o2777)
                _memory(target, volume["emptyDir"]["sizeLimit"], group)
            else:
                _owned(target, group, 0o2755)
                files, mode = self._files(volume)
                _lay(target, files, group, mode)
            laid[volume["name"]] = target
        for name in _claimed(pod):
            claim = self._folder / "claims" / f"{pod.name}-{name}"
            laid[name] = _owned(claim, group, 0o2775)
        return laid

    def files(self, kind: str, name: str) -> dict[str, bytes]:
        """Return what a secret or a map of settings holds."""
        return self._contents[kind, name]

    def _files(self, volume: Manifest) -> tuple[dict[str, bytes], int]:
        if "configMap" in volume:
            return self.files("ConfigMap", volume["configMap"]["name"]), 0o644
        if "secret" in volume:
            told = volume["secret"]
            return self.files("Secret", told["secretName"]), told["defaultMode"]
        told = volume["projected"]
        files: dict[str, bytes] = {}
        for source in told["sources"]:
            files |= self.files("Secret", source["secret"]["name"])
        return files, told["defaultMode"]


def _pod(overlay: str, pod: manifests.Pod, volumes: _Volumes, image: Image) -> Pod:
    laid = volumes.of(pod)
    first = tuple(
        _container(pod, one, volumes, laid, image)
        for one in pod.spec.get("initContainers", ())
    )
    (main,) = pod.spec["containers"]
    return Pod(
        name=pod.name,
        component=pod.labels[COMPONENT],
        names=tuple(_names(overlay, pod)),
        first=first,
        main=_container(pod, main, volumes, laid, image),
        checks=tuple(
            _check(kind, main[f"{kind}Probe"], main)
            for kind in ("startup", "readiness", "liveness")
            if pod.replicas
        ),
        words=tuple(main.get("args", ())),
        grace=pod.spec.get("terminationGracePeriodSeconds", 30),
    )


def _container(
    pod: manifests.Pod,
    one: Manifest,
    volumes: _Volumes,
    laid: dict[str, Path],
    image: Image,
) -> Container:
    name = one["image"].split("@")[0].split(":")[0].rsplit("/", 1)[-1]
    ours = name == "letterlock"
    variables = dict(image.variables) if ours else {}
    for source in one.get("envFrom", ()):
        settings = volumes.files("ConfigMap", source["configMapRef"]["name"])
        variables |= {name: text.decode() for name, text in settings.items()}
    for told in one.get("env", ()):
        if "value" in told:
            variables[told["name"]] = told["value"]
    words = one.get("command", image.words if ours else ())
    context = pod.spec["securityContext"]
    return Container(
        image=name,
        words=(*words, *one.get("args", ())),
        variables=variables,
        mounts=tuple(
            Mount(
                target=mount["mountPath"],
                source=laid[mount["name"]],
                writable=not mount.get("readOnly", False),
            )
            for mount in one["volumeMounts"]
        ),
        user=context["runAsUser"],
        group=context["fsGroup"],
        memory=_bytes(one["resources"]["limits"]["memory"]),
    )


def _check(kind: str, probe: Manifest, container: Manifest) -> Check:
    ports = (
        {port["name"]: port["containerPort"] for port in container["ports"]}
        if ("ports" in container)
        else {}
    )
    if "exec" in probe:
        return Check(kind=kind, command=tuple(probe["exec"]["command"]))
    told = probe["httpGet"] if "httpGet" in probe else probe["tcpSocket"]
    return Check(kind=kind, path=told.get("path", ""), port=ports[told["port"]])


def _names(overlay: str, pod: manifests.Pod) -> list[str]:
    """Return the full names under which a pod is found, by the Services there are."""
    tail = f"{_namespace(overlay)}.svc.cluster.local"
    for service in of_kind(overlay, "Service"):
        if manifests.selected({"matchLabels": service["spec"]["selector"]}, pod.labels):
            name = service["metadata"]["name"]
            if service["spec"].get("clusterIP") == "None":
                nodes = [f"{pod.name}-{i}.{name}.{tail}" for i in range(pod.replicas)]
                return [*nodes, f"{name}.{tail}"]
            return [f"{name}.{tail}"]
    return []


def _namespace(overlay: str) -> str:
    (namespace,) = of_kind(overlay, "Namespace")
    return str(namespace["metadata"]["name"])


def _made_by_runbook(secrets: Path, namespace: str) -> Contents:
    (block,) = (
        block
        for block in FENCED.findall(RUNBOOK.read_text())
        if "create secret" in block
    )
    rehearse = (
        'kubectl() { echo ---; command kubectl "$@" --dry-run=client --output=yaml; }\n'
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", rehearse + block],
        env={"PATH": "/usr/bin:/bin", "N": namespace, "S": str(secrets)},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    contents: Contents = {}
    for one in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader):
        files = {name: text.encode() for name, text in one.get("data", {}).items()}
        if one["kind"] == "Secret":
            files = {name: base64.b64decode(text) for name, text in files.items()}
        contents[one["kind"], one["metadata"]["name"]] = files
    return contents


def _claimed(pod: manifests.Pod) -> list[str]:
    """Return the mounts of a pod that a workload makes a claim of its own for."""
    listed = {volume["name"] for volume in pod.spec["volumes"]}
    (main,) = pod.spec["containers"]
    return [m["name"] for m in main["volumeMounts"] if m["name"] not in listed]


def _owned(folder: Path, group: int, mode: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, group)
    folder.chmod(mode)
    return folder


def _memory(folder: Path, size: str, group: int) -> None:
    told = f"size={_bytes(size)},mode=2777,gid={group}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", told, "memory", folder], check=True)


def _lay(folder: Path, files: dict[str, bytes], group: int, mode: int) -> None:
    """Write files the way a kubelet does: behind a link that is swapped as one."""
    behind = _owned(folder / "..2026_03_02_12_00_00.1", group, 0o2755)
    for name, content in files.items():
        path = behind / name
        path.write_bytes(content)
        os.chown(path, 0, group)
        path.chmod(mode)
        _link(folder / name, f"..data/{name}")
    _link(folder / "..data", behind.name)


def _link(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _bytes(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]
