"""Makes the lists and searches of one service anew from the facts.

    rebuild.py SERVICE       in its rpc container, once its `follow` has been stopped

Prints its progress. Interrupted, it may be run again, or the follower be started: it
goes on from where this ended. Nothing is sent twice: reactions take no part.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

from services.distributed import stood_up
from services.talking import talking
from shared.errors import Fault
from shared.fence import AlreadyFollowed
from shared.rebuild import rebuild
from shared.settings import Settings, SettingsError


def rebuild_all(
    service: str, settings: Settings, say: Callable[[str], object]
) -> list[str]:
    """Rebuild every projection of a service, and return their names.

    Raises:
        SettingsError: no such service, or the data folder is not fit to start with.
        AlreadyFollowed: its follower still runs.
        Fault: a fact could not be applied, or the store does not answer.
    """
    done: list[str] = []
    with (
        talking(settings, service) as talk,
        stood_up(service, settings, talk) as (_, part),
    ):
        followed = part.followed
        for projection in followed.projections:
            rebuild(
                followed.store,
                followed.readmodel,
                projection,
                partial(_tell, say, projection.name),
                lock=settings.folder.run / f"follow-{service}.lock",
            )
            done.append(projection.name)
            say(f"{projection.name}: rebuilt")
    return done


def _tell(say: Callable[[str], object], name: str, reached: int, last: int) -> None:
    say(f"{name}: at {reached} of {last}")


def main(words: list[str]) -> int:
    """Rebuild; exit 2 on a fault."""
    if len(words) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        rebuild_all(words[0], Settings.from_env(os.environ), print)
    except AlreadyFollowed:
        sys.stderr.write(f"stop the follow process of {words[0]} first\n")
        return 2
    except (Fault, SettingsError) as fault:
        sys.stderr.write(f"{type(fault).__name__}: {fault}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
