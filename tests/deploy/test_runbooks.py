"""The runbooks name only what exists, and their list of secrets is complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import prepare
from services.__main__ import _parser
from tests.deploy.manifests import OVERLAYS, ROOT, Pod, pods
from tests.waiting import LONG

BOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
WANTED = {
    "start-stop.md", "watch.md", "upgrade.md", "rotate-keys.md", "backup-restore.md",
}  # fmt: skip
MADE = {"deploy/.env"}  # by whoever follows the book
NEED_NO_SERVER = {"init", "events", "sign-in", "rebuild"}
FENCED = re.compile(r"(?m)^```sh\n(.*?)^```$", re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
OURS = re.compile(r"(?:deploy|docs|tests)/[\w./-]+[\w]")
IN_IMAGE = re.compile(r"/app/image/([\w.]+)")


def commands(book: Path) -> list[str]:
    blocks = FENCED.findall(book.read_text())
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("   #")[0].strip() for line in lines]


def test_the_runbooks_are_there() -> None:
    assert {book.name for book in BOOKS} >= WANTED


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_every_verb_that_a_runbook_names_exists(book: Path) -> None:
    said = [*commands(book), *INLINE.findall(book.read_text())]
    for line in said:
        words = shlex.split(line, comments=True) if line.count("'") % 2 == 0 else []
        if words[:1] == ["letterlock"] and len(words) > 1:
            assert _parser().parse_args(words[1:]).verb, line


@pytest.mark.integration
def test_commands_for_one_machine_do_what_the_runbooks_say(tmp_path: Path) -> None:
    env = {**os.environ, "LETTERLOCK_DATA": str(tmp_path / "data")}
    said: dict[str, str] = {}
    for book in ("start-stop.md", "watch.md"):
        for line in commands(ROOT / "docs" / "runbooks" / book):
            words = shlex.split(line)
            if words[:1] != ["letterlock"] or words[1] not in NEED_NO_SERVER:
                continue
            done = subprocess.run(
                [sys.executable, "-m", "services", *words[1:]],
                cwd=ROOT,
                env=env,
                check=False,
                capture_output=True,
                text=True,
                timeout=2 * LONG,
            )
            assert done.returncode == 0, (line, done.stderr)
            said[words[1]] = done.stdout
    assert said.keys() == NEED_NO_SERVER
    assert "/sign-in/link/" in said["sign-in"]
    assert "rebuilt" in said["rebuild"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_every_file_and_target_that_a_runbook_names_exists(book: Path) -> None:
    text = book.read_text()
    targets = (ROOT / "Makefile").read_text()
    for path in set(OURS.findall(text)) - MADE:
        assert (ROOT / path).exists(), path
    for script in IN_IMAGE.findall(text):
        assert (ROOT / "deploy" / "image" / script).is_file(), script
    for target in re.findall(r"(?m)(?:^|`)make ([a-z0-9-]+)", text):
        assert f"\n{target}:" in targets, target
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module


def test_the_commands_for_a_cluster_make_every_secret_that_a_pod_mounts(
    tmp_path: Path,
) -> None:
    prepare.prepare(tmp_path / "secrets")
    (block,) = [
        block
        for block in FENCED.findall((ROOT / "docs/runbooks/start-stop.md").read_text())
        if "create secret" in block
    ]
    rehearse = 'kubectl() { command kubectl "$@" --dry-run=client --output=name; }\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", rehearse + block],
        env={"PATH": "/usr/bin:/bin", "N": "rehearsal", "S": str(tmp_path / "secrets")},
        check=True,
        capture_output=True,
        text=True,
        timeout=2 * LONG,
    )
    made = set(done.stdout.split())
    wanted = {
        name for overlay in OVERLAYS for pod in pods(overlay) for name in _needs(pod)
    }
    assert made == wanted | {"namespace/rehearsal", "secret/ingress-trust"}


def _needs(pod: Pod) -> set[str]:
    found: set[str] = set()
    for volume in pod.spec["volumes"]:
        if "secret" in volume:
            found.add(f"secret/{volume['secret']['secretName']}")
        if volume.get("configMap", {}).get("name") == "internal-ca":
            found.add("configmap/internal-ca")
        for source in volume.get("projected", {}).get("sources", ()):
            found.add(f"secret/{source['secret']['name']}")
    return found
