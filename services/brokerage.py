"""What the broker is told: users, rights from the policy, passwords in key files."""

from __future__ import annotations

import json
import secrets
from typing import Final

from services.compose import pairs
from services.ground import FRONTS
from services.policy import POLICY
from shared.crypto.kek import KeyFileUnsafe
from shared.messaging.pairs import Pairs, create_pairs, read_secret, write_secret
from shared.messaging.topology import definitions
from shared.settings import Settings

OPERATOR: Final = "operator"
_PASSWORD: Final = 32  # random bytes
_LONGEST: Final = 200


def users() -> list[str]:
    """Return everyone who has an account at the broker."""
    return sorted({name for pair in pairs() for name in pair} | {OPERATOR})


def create_accounts(settings: Settings) -> int:
    """Make the pair keys and passwords that are missing; return how many."""
    keys = settings.folder.keys
    made = create_pairs(keys / "pairs", pairs())
    folder = keys / "broker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for user in users():
        made += write_secret(folder / user, secrets.token_urlsafe(_PASSWORD).encode())
    return made


def prove_pairs(settings: Settings, *, asks: str = "", answers: str = "") -> None:
    """Read the keys of a process now, so that it does not start without one.

    Args:
        settings: say where they lie.
        asks: the service or site as which it asks others.
        answers: the service whose questions it answers. One that has pages asks from
            the process of its pages alone; any other from this one as well.

    Raises:
        KeyMissing: one is not there.
        KeyFileUnsafe: others can touch one, or it does not hold a key.
    """
    if answers not in FRONTS:
        asks = asks or answers
    keys = Pairs(settings.folder.keys / "pairs")
    for caller, service in sorted(pairs()):
        if caller == asks or service == answers:
            keys.key(caller, service, "request")


def password_of(settings: Settings, user: str) -> str:
    """Return a user's password.

    Raises:
        KeyMissing: there is no such account yet.
        KeyFileUnsafe: others can read it, or it is no text.
    """
    path = settings.folder.keys / "broker" / user
    try:
        return read_secret(path, _LONGEST).decode()
    except UnicodeDecodeError:
        message = f"{path} does not hold a password; put it back"
        raise KeyFileUnsafe(message) from None


def rights() -> dict[tuple[str, str], set[str]]:
    """Return `(caller, service)` -> operations, as the policy has it."""
    found: dict[tuple[str, str], set[str]] = {}
    for (service, operation), (_, callers, _) in POLICY.items():
        for caller in callers:
            found.setdefault((caller, service), set()).add(operation)
    return found


def definitions_of(settings: Settings) -> dict[str, object]:
    """Return what the broker is to load; raises as `password_of`."""
    passwords = {user: password_of(settings, user) for user in users()}
    return definitions(settings.broker_vhost, rights(), passwords, OPERATOR)


def write_definitions(settings: Settings) -> str:
    """Write the definitions file, for this user alone, and return its path."""
    path = settings.folder.run / "broker-definitions.json"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(definitions_of(settings), indent=1))
    return str(path)
