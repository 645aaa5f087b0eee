"""What is deployed runs: every container as described, the main job, the runbooks.

Neither Docker nor a cluster is needed. Root is: each pod gets namespaces of its own;
where there can be none, `conftest.py` leaves this file out and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Final

import pytest

from tests.deploy.manifests import COMPONENT, ROOT, allowed, pods
from tests.deploy.rehearsal.operator import acts

pytestmark = pytest.mark.integration
FULL: Final = os.environ.get("LETTERLOCK_SOAK") == "full"
SHOWN: Final = ("staging", "compose") if FULL else ("staging",)
BOOKS: Final = ("start-stop.md", "watch.md", "rotate-keys.md")
OURS: Final = {p.name for p in pods("staging") if p.labels[COMPONENT] != "server"}
Seen = dict[str, Any]


@pytest.fixture(scope="module", params=SHOWN)
def seen(request: pytest.FixtureRequest) -> Seen:
    what = request.param
    more = ["--again"] if FULL else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.deploy.rehearsal", what, *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return {**json.loads(done.stdout), "what": what}


def test_the_main_job_holds(seen: Seen) -> None:
    assert len(seen["checks"]) >= 11
    assert [name for name, held in seen["checks"].items() if not held] == []


def test_every_process_came_up_at_the_first_try_though_nothing_else_was_there(
    seen: Seen,
) -> None:
    assert seen["fallen"] == {}
    assert {*seen["started"]} >= OURS - {"operator"}


def test_who_talks_to_whom_is_exactly_what_is_open(seen: Seen) -> None:
    """Nothing is tried that is shut (S45), and nothing is open that nobody needs."""
    tried = {(frm, to, port) for frm, to, port in seen["tried"] if frm != "node"}
    opened = {edge for edge in allowed("staging") if {"store", "dns"} != {*edge[:2]}}
    if seen["what"] == "compose":  # a network answers for names there
        opened = {edge for edge in opened if edge[1] != "dns"}
    assert tried == {edge for edge in opened if edge[0] != "store"}
    assert seen["refused"] == 0


def test_every_command_of_the_runbooks_that_enters_a_container_does_what_it_says(
    seen: Seen,
) -> None:
    on_cluster = seen["what"] != "compose"
    told = [act.line for book in BOOKS for act in acts(book, on_cluster=on_cluster)]
    assert {one["line"] for one in seen["done"]} >= set(told)
    assert len(told) >= 8
    for one in seen["done"]:
        assert (one["status"] != 0) == one["fails"], one
    said = {one["line"]: one["said"] for one in seen["done"]}

    def of(word: str) -> str:
        return next(str(text) for line, text in said.items() if word in line)

    assert "/sign-in/link/" in of("first_admin.py")
    assert "/sign-in/link/" in of("sign_in.py")
    assert "There are no dead letters." in of("operator")
    assert "EnvelopeViewed" in of("services events")
    assert "crm-contacts-v1: rebuilt" in of("rebuild.py")
    assert "nothing needs a key older than" in of("rewrap.py")


def test_keys_are_rotated_and_old_ones_taken_away(seen: Seen) -> None:
    again = [one["said"] for one in seen["done"] if one["line"].endswith("again")]
    assert len(again) == (5 if FULL else 0)  # `make test` has no time for it
    for said in again:
        assert "nothing needs a key older than kek-2" in said
        assert "keys under kek-2" in said


def test_every_process_ends_when_told_to(seen: Seen) -> None:
    assert {status for status, _ in seen["ended"].values()} == {0}
    assert seen["ended"].keys() >= OURS - {"operator"}


def test_no_process_comes_near_the_memory_it_may_take(seen: Seen) -> None:
    assert {name for name, percent in seen["memory"].items() if percent > 80} == set()


def test_no_log_tells_a_name_a_secret_or_a_stack(seen: Seen) -> None:
    for name in OURS - {"operator"}:
        told = seen["logs"][name]
        for private in ("Traceback", "Jones", "example.org", "PRIVATE KEY"):
            assert private not in told, name
