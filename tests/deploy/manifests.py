"""What the cluster is told: overlays rendered by kubectl, and questions about them."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "deploy" / "k8s"
OVERLAYS: Final = ("staging", "production")
NAME: Final = "app.kubernetes.io/name"
COMPONENT: Final = "app.kubernetes.io/component"

Manifest = dict[str, Any]
Edge = tuple[str, str, int]  # from, to, port

OUTSIDE: Final = {  # peers that are no pods of ours, by the text of their selector
    "kube-system": "dns",
    "ingress-nginx": "ingress",
}


@dataclass(frozen=True)
class Pod:
    """A kind of pod: the workload it comes from, its labels and its description.

    It runs in so many replicas; 0 if only when somebody asks for it.
    """

    name: str
    labels: Mapping[str, str]
    spec: Manifest
    replicas: int


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Return every object that `kubectl apply -k` would send."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(K8S / "overlays" / overlay)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return tuple(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def of_kind(overlay: str, kind: str) -> list[Manifest]:
    return [one for one in rendered(overlay) if one["kind"] == kind]


def pods(overlay: str) -> list[Pod]:
    found: list[Pod] = []
    for one in rendered(overlay):
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {"spec": spec})["spec"].get("template")
        if template is None:
            continue
        found.append(
            Pod(
                name=one["metadata"]["name"],
                labels=template["metadata"]["labels"],
                spec=template["spec"],
                replicas=spec.get("replicas", 0),
            )
        )
    return found


def containers(pod: Pod) -> list[Manifest]:
    return [*pod.spec.get("initContainers", ()), *pod.spec["containers"]]


def selected(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Say whether a label selector takes in these labels, as Kubernetes would."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", ()):
        has = labels.get(rule["key"])
        match rule["operator"]:
            case "In":
                holds = has in rule["values"]
            case "NotIn":
                holds = has not in rule["values"]
            case "Exists":
                holds = has is not None
            case "DoesNotExist":
                holds = has is None
            case other:
                message = f"no such operator: {other}"
                raise AssertionError(message)
        if not holds:
            return False
    return True


def allowed(overlay: str) -> set[Edge]:
    """Return who can reach whom, as the policies of an overlay add up to.

    Between pods an edge exists where the one may go out and the other lets it in; a pod
    that no policy of a direction selects is open in it, and shows up as "anyone".
    """
    everyone = pods(overlay)
    out, into = set[Edge](), set[Edge]()
    for pod in everyone:
        out |= {(pod.name, to, port) for to, port in _peers(overlay, pod, "Egress")}
        into |= {(frm, pod.name, port) for frm, port in _peers(overlay, pod, "Ingress")}
    ours = {pod.name for pod in everyone}
    return {edge for edge in out if edge[1] not in ours or edge in into} | {
        edge for edge in into if edge[0] not in ours
    }


def half_open(overlay: str) -> set[Edge]:
    """Return edges that one side opens and the other does not: somebody's mistake."""
    everyone = pods(overlay)
    ours = {pod.name for pod in everyone}
    out, into = set[Edge](), set[Edge]()
    for pod in everyone:
        out |= {(pod.name, to, port) for to, port in _peers(overlay, pod, "Egress")}
        into |= {(frm, pod.name, port) for frm, port in _peers(overlay, pod, "Ingress")}
    within = {edge for edge in out | into if {edge[0], edge[1]} <= ours}
    return within - (out & into)


def table(overlay: str) -> set[Edge]:
    """Return who may reach whom, as people agreed on it."""
    with (K8S / "network-table.csv").open(newline="") as file:
        return {
            (row["from"], row["to"], int(row["port"]))
            for row in csv.DictReader(file)
            if row["overlay"] in {"all", overlay}
        }


def _peers(overlay: str, pod: Pod, direction: str) -> Iterator[tuple[str, int]]:
    policies = [
        policy["spec"]
        for policy in of_kind(overlay, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"]
        and selected(policy["spec"]["podSelector"], pod.labels)
    ]
    if not policies:
        yield "anyone", 0
    key, side = {"Egress": ("egress", "to"), "Ingress": ("ingress", "from")}[direction]
    for spec in policies:
        for rule in spec.get(key, ()):
            ports = [port["port"] for port in rule.get("ports", [{"port": 0}])]
            names = [
                name for peer in rule.get(side, [{}]) for name in _named(overlay, peer)
            ]
            yield from ((name, port) for name in names for port in ports)


def _named(overlay: str, peer: Manifest) -> list[str]:
    if block := peer.get("ipBlock"):
        host = block["cidr"].endswith("/32") or block["cidr"].endswith("/128")
        return ["relay" if host else "anyone"]
    if (namespaces := peer.get("namespaceSelector")) is not None:
        label = namespaces.get("matchLabels", {}).get("kubernetes.io/metadata.name", "")
        return [OUTSIDE.get(label, "anyone")]
    if "podSelector" not in peer:
        return ["anyone"]
    return [p.name for p in pods(overlay) if selected(peer["podSelector"], p.labels)]
