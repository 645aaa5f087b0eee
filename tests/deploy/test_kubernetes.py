"""The cluster's manifests: hardened pods, closed networks, no service forgotten."""

from __future__ import annotations

import re
from itertools import chain

import kubernetes_validate
import pytest

from deploy.image import place
from services.policy import POLICY
from shared.settings import Settings
from tests.deploy.manifests import (
    COMPONENT,
    K8S,
    NAME,
    OVERLAYS,
    ROOT,
    Pod,
    allowed,
    containers,
    half_open,
    of_kind,
    pods,
    rendered,
    selected,
    table,
)

KUBERNETES = "1.34"
IMAGE = re.compile(r"[a-z0-9.-]+\.[a-z]+/[a-z0-9/-]+(:[0-9.]+)?@sha256:[0-9a-f]{64}")
SERVICES = sorted(
    folder.parent.name for folder in (ROOT / "services").glob("*/__init__.py")
)
HOLD_KEYS = {"crm", "letters", "envelope", "audit", "portal"}
ALL_PODS = [
    pytest.param(pod, id=f"{overlay}-{pod.name}")
    for overlay in OVERLAYS
    for pod in pods(overlay)
]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid_to_the_letter(overlay: str) -> None:
    for one in rendered(overlay):
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_base_folder_that_renders_a_pod(service: str) -> None:
    folder = K8S / "base" / service
    assert (folder / "kustomization.yaml").is_file(), f"{folder} is missing"
    for overlay in OVERLAYS:
        assert any(pod.labels[NAME] == service for pod in pods(overlay))


def test_no_base_folder_is_left_out_of_the_whole() -> None:
    folders = {path.parent.name for path in K8S.glob("base/*/kustomization.yaml")}
    listed = (K8S / "base" / "kustomization.yaml").read_text()
    assert folders >= {*SERVICES, "broker", "store"}
    assert all(f"  - {name}\n" in listed for name in folders)


@pytest.mark.parametrize("pod", ALL_PODS)
def test_a_pod_is_restricted(pod: Pod) -> None:
    spec, context = pod.spec, pod.spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
    assert kinds <= {
        "configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret",
    }  # fmt: skip
    for one in containers(pod):
        own = one["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own.keys() <= {
            "allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem",
        }  # fmt: skip
        assert all("hostPort" not in port for port in one.get("ports", ()))


@pytest.mark.parametrize("pod", ALL_PODS)
def test_a_pod_can_write_to_its_volumes_alone_and_knows_no_cluster(pod: Pod) -> None:
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["enableServiceLinks"] is False
    for one in containers(pod):
        assert one["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("pod", ALL_PODS)
def test_a_pod_is_bounded_and_watched(pod: Pod) -> None:
    for one in containers(pod):
        for bound in ("requests", "limits"):
            assert one["resources"][bound].keys() == {"cpu", "memory"}
    for one in pod.spec["containers"] if pod.replicas else ():
        probes = [one[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        assert all({"exec", "httpGet", "tcpSocket"} & probe.keys() for probe in probes)
    for volume in pod.spec["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("pod", ALL_PODS)
def test_a_pod_runs_exactly_one_known_image(pod: Pod) -> None:
    for one in containers(pod):
        assert IMAGE.fullmatch(one["image"]), one["image"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_has_one_budget_that_a_drain_can_meet(overlay: str) -> None:
    budgets = of_kind(overlay, "PodDisruptionBudget")
    for pod in (pod for pod in pods(overlay) if pod.replicas):
        mine = [
            b["spec"] for b in budgets if selected(b["spec"]["selector"], pod.labels)
        ]
        assert len(mine) == 1, pod.name
        kept = mine[0].get(
            "minAvailable", pod.replicas - mine[0].get("maxUnavailable", 0)
        )
        assert 0 <= kept < pod.replicas, f"{pod.name}: a node could never be emptied"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_runs_more_than_once_is_spread(overlay: str) -> None:
    for pod in pods(overlay):
        if pod.replicas > 1:
            keys = {s["topologyKey"] for s in pod.spec["topologySpreadConstraints"]}
            assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_refuses_what_is_not_restricted(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
        "restricted"
    )
    for one in rendered(overlay):
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == namespace["metadata"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_open_that_the_table_does_not_name(overlay: str) -> None:
    assert allowed(overlay) == table(overlay)
    assert half_open(overlay) == set()
    closed = [
        policy["spec"]
        for policy in of_kind(overlay, "NetworkPolicy")
        if policy["spec"]["podSelector"] == {}
    ]
    assert closed == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_postman_alone_reaches_mail_and_the_public_reaches_the_sites_alone(
    overlay: str,
) -> None:
    edges = allowed(overlay)
    mail = {edge for edge in edges if edge[1] in {"relay", "mailbox"}}
    assert {frm for frm, _, _ in mail} == {"envelope-work"}
    assert {to for frm, to, _ in edges if frm == "ingress"} == {
        "portal-web",
        "viewer-web",
    }
    assert not {to for frm, to, _ in edges if frm.endswith("-web")} & {"store", "relay"}
    assert not {edge for edge in edges if "anyone" in edge}


def mounted(pod: Pod) -> set[str]:
    """Return the names of the secrets that a pod can read."""
    found: set[str] = set()
    for volume in pod.spec["volumes"]:
        if "secret" in volume:
            found.add(volume["secret"]["secretName"])
        for source in volume.get("projected", {}).get("sources", ()):
            found.add(source["secret"]["name"])
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_key_secrets_are_mounted_by_their_own_service_alone(overlay: str) -> None:
    holders = {
        (pod.labels[NAME], pod.labels[COMPONENT], secret)
        for pod in pods(overlay)
        for secret in mounted(pod)
        if secret.endswith("-keks")
    }
    assert {secret for _, _, secret in holders} == {f"{s}-keks" for s in HOLD_KEYS}
    for service, component, secret in holders:
        assert secret == f"{service}-keks"
        assert component in {"rpc", "follow", "work"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_holds_the_keys_of_its_own_conversations_alone(overlay: str) -> None:
    talks = {
        (caller, owner)
        for (owner, _), (_, callers, _) in POLICY.items()
        for caller in callers
    }
    seen: set[str] = set()
    for pod in pods(overlay):
        service, component = pod.labels[NAME], pod.labels[COMPONENT]
        if component not in {"rpc", "follow", "work", "web", "once"}:
            continue
        calls = {pair for pair in talks if pair[0] == service}
        answers = {pair for pair in talks if pair[1] == service}
        may = {
            "rpc": answers | (calls if service not in {"portal", "viewer"} else set()),
            "work": calls,
            "web": calls,
            "follow": set(),
            "once": talks,  # opens what could not be acted upon
        }[component]
        pairs = {secret for secret in mounted(pod) if secret.startswith("pair-")}
        assert pairs == {f"pair-{a}-{b}" for a, b in may}, pod.name
        seen |= pairs
    assert seen == {f"pair-{a}-{b}" for a, b in talks}


@pytest.mark.parametrize("pod", ALL_PODS)
def test_secrets_come_as_files_through_a_copy_that_only_the_program_can_read(
    pod: Pod,
) -> None:
    for one in containers(pod):
        for name in one.get("env", ()):
            assert "secretKeyRef" not in name.get("valueFrom", {})
        assert all("secretRef" not in source for source in one.get("envFrom", ()))
    if pod.labels[COMPONENT] in {"rpc", "follow", "work", "web", "once"}:
        offered = {
            volume["name"]
            for volume in pod.spec["volumes"]
            if "secret" in volume or "projected" in volume
        }
        (placing,) = pod.spec["initContainers"]
        (program,) = pod.spec["containers"]
        assert placing["command"][-1] == "/app/image/place.py"
        assert offered <= {mount["name"] for mount in placing["volumeMounts"]}
        assert not offered & {mount["name"] for mount in program["volumeMounts"]}
        (placed,) = [v for v in pod.spec["volumes"] if v["name"] == "placed"]
        assert placed["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_runs_when_asked_for_never_runs_by_itself(overlay: str) -> None:
    asked = [pod.name for pod in pods(overlay) if not pod.replicas]
    assert asked == ["operator"]
    for one in of_kind(overlay, "CronJob"):
        assert one["spec"]["suspend"] is True
        job = one["spec"]["jobTemplate"]["spec"]
        assert job["backoffLimit"] == 0
        assert job["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_value_is_among_the_objects(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == []
    words = re.compile(r"(?i)(password|secret|token|passphrase)\s*[=:]\s*\S")
    for config in of_kind(overlay, "ConfigMap"):
        for line in chain.from_iterable(
            v.splitlines() for v in config["data"].values()
        ):
            assert not words.search(line), line


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_public_and_staff_sites_have_names_of_their_own(overlay: str) -> None:
    hosts = {
        one["metadata"]["name"]: one["spec"]["rules"][0]["host"]
        for one in of_kind(overlay, "Ingress")
    }
    assert hosts.keys() == {"portal", "viewer"}
    assert len(set(hosts.values())) == len(hosts)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_way_in_writes_who_the_client_is_and_is_the_only_one_to(
    overlay: str,
) -> None:
    (settings,) = (
        one["data"]
        for one in of_kind(overlay, "ConfigMap")
        if "LETTERLOCK_TRUSTED_PROXIES" in one["data"]
    )
    named = {"LETTERLOCK_TRUSTED_PROXIES": settings["LETTERLOCK_TRUSTED_PROXIES"]}
    assert Settings.from_env(named).trusted_proxies
    for one in of_kind(overlay, "Ingress"):
        marks = {
            key.partition("/")[2]: value
            for key, value in one["metadata"]["annotations"].items()
        }
        assert "ssl-passthrough" not in marks  # else clients write the header
        assert marks["backend-protocol"] == "HTTPS"
        assert marks["proxy-ssl-verify"] == "on"
        namespace = one["metadata"]["namespace"]
        assert marks["proxy-ssl-secret"] == f"{namespace}/ingress-trust"
        (rule,), (shown,) = one["spec"]["rules"], one["spec"]["tls"]
        assert shown["hosts"] == [rule["host"]]
    ways = allowed(overlay)
    for site in ("portal-web", "viewer-web"):
        assert {frm for frm, to, _ in ways if to == site} == {"ingress"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_first_start_differs_in_nothing_but_beginning_the_lists_of_the_erased(
    overlay: str,
) -> None:
    later = {pod.name: pod for pod in pods(overlay)}
    began: set[str] = set()
    for pod in pods(f"{overlay}-first"):
        for one in pod.spec.get("initContainers", ()):
            if one.pop("env", None) == [{"name": place.FIRST, "value": "yes"}]:
                began.add(pod.labels[NAME])
        assert pod.spec == later[pod.name].spec
    assert began == HOLD_KEYS
