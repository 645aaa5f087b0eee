"""No secret stands in what is deployed, nor in what is said about it."""

from __future__ import annotations

import re

import pytest

from tests.deploy.manifests import ROOT

FOLDERS = ("deploy", "docs/runbooks")
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|://[^/\s:@]+:[^/\s:@$]+@"  # user:password in an address
    r"|(?i:passw(or)?d|secret|token)[\"']?\s*[:=]\s*[\"'](?!\$)[^\"'\s]{6,}[\"']"
)
LONG = re.compile(r"(?<![0-9A-Za-z+/:=_.-])[0-9A-Za-z+/_-]{43,}={0,2}(?![0-9A-Za-z])")
NOT_SECRET = re.compile(r"[0-9a-f]{64}|[a-zA-Z/._-]+|(/[\w.${}:?-]+)+|[a-z0-9-]+")


@pytest.mark.parametrize("text", [
    "-----BEGIN PRIVATE KEY-----",
    "amqps://crm:hunter22@broker",
    'password: "hunter22"',
])  # fmt: skip
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert SECRET.search(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_deployed_file_holds_no_secret(path: str) -> None:
    text = path.read_text()
    assert not SECRET.search(text)
    for found in LONG.findall(text):
        assert NOT_SECRET.fullmatch(found), "a long random value"
