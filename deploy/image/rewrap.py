"""Brings one service's data keys under its newest key-encryption key.

    rewrap.py SERVICE       in a container of that service, while it runs

Prints its progress and may be stopped at any time: started again, it goes on. At the
end the list of erased people is sealed under the newest key too, and older `kek-<n>`
files are needed by nothing that this service will write or read again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from shared.crypto.kek import Keks
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.settings import DataFolder


def rewrap(folder: DataFolder, service: str, say: Callable[[str], object]) -> int:
    """Rewrap every key, seal the list, and return how many keys were rewrapped.

    Raises:
        KeyMissing: an older key-encryption key is gone before its time.
        KeyFileUnsafe: others can touch a key file.
        KeysUnavailable: the service has no key database here.
    """
    keks = Keks(folder.keys)
    tombstones = Tombstones(folder.tombstones, keks)
    keyring = Keyring(service, folder.key_db(service), keks=keks, tombstones=tombstones)
    total = 0
    try:
        while done := keyring.rewrap():
            total += done
            say(f"{service}: {total} keys under kek-{keks.newest()}")
        tombstones.reseal()
    finally:
        keyring.close()
    say(f"{service}: done; nothing needs a key older than kek-{keks.newest()}")
    return total


if __name__ == "__main__":
    here = DataFolder(Path(os.environ.get("LETTERLOCK_DATA", "data")))
    if len(sys.argv) != 2 or not here.key_db(sys.argv[1]).exists():  # noqa: PLR2004
        sys.exit("name the service whose keys lie here, such as: rewrap.py crm")
    rewrap(here, sys.argv[1], print)
