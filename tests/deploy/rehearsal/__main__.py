"""Starts everything that one description names, does the main job, stops it again.

    python -m tests.deploy.rehearsal staging      an overlay, its first start included
    python -m tests.deploy.rehearsal compose

With LETTERLOCK_REHEARSAL_ROOT our containers begin from that folder, such as `docker
export` unpacks an image to, and not from what the Dockerfile's lines say.

As root; prints what it saw, as JSON. Everything lives in namespaces of this process and
is gone with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from deploy import prepare
from tests.deploy.rehearsal.network import refused
from tests.deploy.rehearsal.operator import Act, acts
from tests.deploy.rehearsal.show import Rehearsal

FOLDER: Final = Path("/run/rehearsal")  # memory of our own mount namespace
BEFORE: Final = ("start-stop.md",)
AFTER: Final = ("watch.md", "rotate-keys.md", "upgrade.md", "backup-restore.md")


def rehearse(what: str, *, again: bool) -> dict[str, Any]:
    """Do it all once, and return what was seen.

    With `again` the keys are also rotated: everything is stopped and started over what
    it kept, as is said for the time after the first start; once with the next keys
    beside the old ones, and once without the old ones.
    """
    began = time.monotonic()
    FOLDER.mkdir(mode=0o755)
    show = Rehearsal(what, FOLDER)
    show.start()
    show.await_ready()
    ready = time.monotonic() - began
    told = {
        book: acts(book, on_cluster=what != "compose") for book in (*BEFORE, *AFTER)
    }
    done = _do(show, [act for book in BEFORE for act in told[book] if not act.fails])
    checks = show.main_job()
    done += _do(show, [act for book in AFTER for act in told[book] if not act.fails])
    seen = {"tried": sorted(show.watch.tried), "refused": refused()}
    done += _do(show, [act for acts in told.values() for act in acts if act.fails])
    ended = show.stop()
    for forget in (False, True) if again else ():
        show.rotate(forget=forget)
        show.start_again()
        show.await_ready()
        if not forget:
            done += _do(show, list(rewrapped()))
        ended |= {f"{name} {forget}": how for name, how in show.stop().items()}
    show.close()
    return {
        **seen,
        "ready_after": ready,
        "took": time.monotonic() - began,
        "checks": checks,
        "done": done,
        "ended": ended,
        "started": list(show.running),
        "fallen": show.fallen,
        "memory": show.peaks,
        "logs": {name: one.said() for name, one in show.running.items()},
    }


def rewrapped() -> Iterator[Act]:
    """Yield what docs/runbooks/rotate-keys.md says, for every service."""
    words = ("/app/bin/python", "-IB", "/app/image/rewrap.py")
    for service in prepare.KEEP_KEYS:
        line = f"rewrap.py {service}, again"
        yield Act(line, "enter", f"{service}-rpc", (*words, service))


def _do(show: Rehearsal, wanted: list[Act]) -> list[dict[str, Any]]:
    return [
        {"line": act.line, "kind": act.kind, "fails": act.fails, **show.act(act)}
        for act in wanted
    ]


def main(what: str, *more: str) -> None:
    """Enter namespaces of our own first; then rehearse and print."""
    if os.environ.get("LETTERLOCK_REHEARSES") != "inside":
        words = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        again = [sys.executable, "-m", "tests.deploy.rehearsal", what, *more]
        os.environ["LETTERLOCK_REHEARSES"] = "inside"
        os.execvp("unshare", ["unshare", *words, *again])  # noqa: S606  # itself
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    sys.stdout.write(json.dumps(rehearse(what, again="--again" in more)))


if __name__ == "__main__":
    main(*sys.argv[1:])
