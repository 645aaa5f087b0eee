"""The image: pinned bases, locked libraries, an unprivileged user, no tools."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.deploy.manifests import ROOT
from tests.waiting import LONG

FILE = ROOT / "deploy" / "Dockerfile"
IGNORED = ROOT / "deploy" / "Dockerfile.dockerignore"
DIGEST = re.compile(r"[a-z]+:[0-9a-z.-]+@sha256:[0-9a-f]{64}")


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", FILE.read_text())
    lines = [line for line in joined.splitlines() if line and line[0] != "#"]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def of(word: str) -> list[str]:
    return [text for name, text in instructions() if name == word]


def defaults() -> dict[str, str]:
    pairs = (text.partition("=") for text in of("ARG"))
    return {name: value for name, _, value in pairs if value}


def test_every_base_is_pinned_by_digest() -> None:
    bases = [text.split()[0] for text in of("FROM")]
    assert bases[-1] == "scratch"
    for base in bases[:-1]:
        name = base.removeprefix("${").removesuffix("}")
        assert DIGEST.fullmatch(defaults()[name]), base
    assert "latest" not in FILE.read_text()
    assert not re.search(r"(?m)^#\s*syntax", FILE.read_text()), "fetched by tag"


@pytest.mark.parametrize("name", ["NODE", "PYTHON"])
@pytest.mark.parametrize(
    "base", ["python:3.11-slim", "python:3.11-slim@sha256:abc", "", "x@sha256:$(id)"]
)
def test_the_build_refuses_an_unpinned_base(name: str, base: str) -> None:
    (check,) = [text for text in of("RUN") if f'"${name}"' in text]
    for value, good in ((base, False), (defaults()[name], True)):
        done = subprocess.run(
            ["sh", "-c", check],
            env={"PATH": os.environ["PATH"], name: value},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONG,
        )
        assert (done.returncode == 0) is good
        assert ("unpinned base refused" in done.stderr) is not good


def test_libraries_are_installed_by_hash_and_never_compiled() -> None:
    (install,) = [text for text in of("RUN") if "pip" in text]
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    (pages,) = [text for text in of("RUN") if "npm" in text and "ci" in text]
    assert "--ignore-scripts" in pages
    assert not [text for text in of("RUN") if re.search(r"apt|curl|wget", text)]


def test_the_last_stage_takes_over_a_stripped_tree_and_runs_nothing() -> None:
    words = [name for name, _ in instructions()]
    last = words[len(words) - words[::-1].index("FROM") :]
    assert set(last) == {"COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT"}
    (user,) = of("USER")
    assert int(user.split(":")[0]) > 0
    stripping = max(
        i for i, (_, text) in enumerate(instructions()) if "strip.py" in text
    )
    following = [name for name, _ in instructions()[stripping + 1 :]]
    assert following[0] == "FROM", "nothing may be put back after stripping"


def test_no_secret_can_enter_the_build() -> None:
    assert not of("ADD")
    assert not [name for name in defaults() if name not in {"NODE", "PYTHON"}]
    sources = {
        source
        for text in of("COPY")
        if "--from" not in text
        for source in text.split()[:-1]
    }
    allowed = [line for line in IGNORED.read_text().splitlines() if line[:1] == "!"]
    first = next(line for line in IGNORED.read_text().splitlines() if line[0] != "#")
    assert first == "*"
    for source in sources:
        assert any(source.startswith(line[1:]) for line in allowed), source
    assert not {"!data", "!.", "!.git", "!deploy"} & set(allowed)
