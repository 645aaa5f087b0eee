"""Sizes, names and places: what the linter cannot see."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from importlib import import_module

import pytest

from services.policy import POLICY, STAFF
from tests.architecture.contracts import ROOT, rooms_of, services

MODULES = sorted([*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")])
EXEMPT = {"tables", "events", "commands", "api", "errors", "demo_data"}
FAILS, WARNS = 400, 250
PROTOCOLS = {
    "crm": "CrmApi",
    "letters": "LettersApi",
    "envelope": "EnvelopeApi",
    "audit": "AuditApi",
    "portal": "StaffApi",
}


def test_no_module_outgrows_its_room() -> None:
    long = {}
    for path in MODULES:
        lines = len(path.read_text().splitlines())
        if path.stem not in EXEMPT and lines > WARNS:
            long[str(path.relative_to(ROOT))] = lines
    if long:
        warnings.warn(f"longer than {WARNS} lines: {long}", UserWarning, stacklevel=1)
    assert not {name: n for name, n in long.items() if n > FAILS}


test_no_module_outgrows_its_room = pytest.mark.filterwarnings(
    "default:longer than"
)(test_no_module_outgrows_its_room)  # fmt: skip


def test_the_environment_is_read_in_one_place() -> None:
    readers = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                readers.add(str(path.relative_to(ROOT)))
    assert readers <= {"services/__main__.py"}


@pytest.mark.parametrize("service", services())
def test_every_service_says_what_it_owns(service: str) -> None:
    told = import_module(f"services.{service}").__doc__ or ""
    assert len(told.strip().splitlines()) >= 3
    assert "ever sees" in told or "no facts" in told


@pytest.mark.parametrize("service", sorted(PROTOCOLS))
def test_every_operation_has_a_policy_row(service: str) -> None:
    protocol = getattr(import_module(f"services.{service}.api"), PROTOCOLS[service])
    offered = {
        name
        for name, member in inspect.getmembers(protocol, inspect.isfunction)
        if not name.startswith("_")
    }
    ruled = {operation for owner, operation in POLICY if owner == service}
    assert offered == ruled


def test_policy_names_only_known_callers_and_roles() -> None:
    roles = {*STAFF, "recipient", "anonymous", "service"}
    for kind, callers, allowed in POLICY.values():
        assert kind in {"command", "query"}
        assert set(callers) <= set(services())
        assert set(allowed) <= roles


def test_no_room_is_invented() -> None:
    known = {
        "errors", "events", "commands", "api", "model", "ports", "handlers",
        "reactions", "tables", "projections", "queries", "adapters", "service",
        "web", "wiring",
    }  # fmt: skip
    assert {s: set(rooms_of(s)) - known for s in services()} == {
        s: set() for s in services()
    }


def test_no_committed_text_names_this_machine_or_an_index() -> None:
    marks = re.compile(
        r'"resolved"\s*:|--(extra-)?index-url\s+http|https?://\S+\.(whl|tgz|tar\.gz)'
    )
    texts = [
        *ROOT.glob("*.txt"),
        *ROOT.glob("*.in"),
        *ROOT.glob("*.json"),
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *MODULES,
    ]
    assert len(texts) > 100
    named = [
        path.name
        for path in texts
        if marks.search(path.read_text()) or str(ROOT) in path.read_text()
    ]
    assert named == []
