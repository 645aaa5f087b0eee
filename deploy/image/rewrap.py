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
from shared.errors import Fault
from shared.settings import DataFolder, SettingsError


def rewrap(folder: DataFolder, service: str, say: Callable[[str], object]) -> int:
    """Rewrap every key, seal the list, and return how many keys were rewrapped.

    Raises:
        KeyFileUnsafe: others can touch a key file; or one is gone before its time, or
            is not the one that was used.
        KeyMissing: the list of erased people is not there.
        CorruptRecord: a key, or the list, is not what was written.
        KeysUnavailable: the service has no key database here.
    """
    keks = Keks(folder.keys)
    tombstones = Tombstones(folder.tombstones, keks)
    keyring = Keyring(service, folder.key_db(service), keks=keks, tombstones=tombstones)
    total = 0
    try:
        keyring.prove_keks()
        while done := keyring.rewrap():
            total += done
            say(f"{service}: {total} keys under kek-{keks.newest()}")
        tombstones.reseal()
    finally:
        keyring.close()
    say(f"{service}: done; nothing needs a key older than kek-{keks.newest()}")
    return total


def main(words: list[str]) -> int:
    """Rewrap; exit 2 if something is not fit for it, told in one line."""
    here = DataFolder(Path(os.environ.get("LETTERLOCK_DATA", "data")))
    if len(words) != 1 or not here.key_db(words[0]).exists():
        sys.stderr.write("name the service whose keys lie here, such as: crm\n")
        return 2
    try:
        rewrap(here, words[0], print)
    except (Fault, SettingsError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
