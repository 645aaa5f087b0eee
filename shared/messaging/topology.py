"""What a broker must hold: queues, and for each user no more rights than it needs.

Written as RabbitMQ's own definitions file, which a node loads when it starts and
`rabbitmqctl import_definitions` loads into one that runs.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from shared.messaging.names import (
    ASK,
    DEAD,
    DELIVERIES,
    FORSAKEN,
    GRAVES,
    HEAPED,
    HINTS,
    LINES,
    LOOKS,
    MOVED,
    QUEUES,
    REPLY,
    WAITING,
    queue_of,
)

Rights = Mapping[tuple[str, str], AbstractSet[str]]
"""(caller, service) -> the operations it may ask for."""
_HEAPED: Final = {"max-length-bytes": HEAPED}
BOUNDS: Final = (
    (
        "dead-letters",
        "^dead$",
        {"delivery-limit": LOOKS, "max-length": GRAVES, **_HEAPED},
    ),
    ("questions", r"^ask\.", _HEAPED),
    ("answers", r"^(reply|hints)\.", {"expires": FORSAKEN, **_HEAPED}),
)
"""Name, queues and what bounds them, those too that are there with other arguments."""


def definitions(
    vhost: str, rights: Rights, passwords: Mapping[str, str], operator: str
) -> dict[str, object]:
    """Return the definitions of one virtual host.

    Args:
        vhost: its name.
        rights: who may ask whom for what.
        passwords: user -> password, for every caller and service and the operator;
            only salted hashes are written.
        operator: the user who reads dead letters and puts them back.
    """
    services = sorted({service for _, service in rights})
    callers = sorted({caller for caller, _ in rights})
    users = sorted({*services, *callers})
    permissions = [_permission(vhost, user, rights) for user in users]
    permissions.append(
        {
            "user": operator,
            "vhost": vhost,
            "configure": "^$",
            "write": _any(ASK),
            "read": _any(DEAD),
        }
    )
    topics = [t for user in users for t in _topics(vhost, user, rights)]
    topics += [
        _topic(vhost, operator, ASK, ".*", "^$"),
        _topic(vhost, operator, REPLY, "^$", "^$"),
        _topic(vhost, operator, HINTS, "^$", "^$"),
    ]
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(name, passwords[name]) for name in (*users, operator)],
        "permissions": permissions,
        "topic_permissions": topics,
        "parameters": [_limits(vhost)],
        "policies": [_policy(vhost, *bounds) for bounds in BOUNDS],
        "exchanges": [
            _exchange(vhost, ASK, "topic"),
            _exchange(vhost, REPLY, "topic"),
            _exchange(vhost, HINTS, "topic"),
            _exchange(vhost, DEAD, "fanout"),
        ],
        "queues": [
            *(_asks(vhost, service) for service in services),
            _queue(vhost, DEAD, {"x-max-length": GRAVES}),
        ],
        "bindings": [
            *(_binding(vhost, ASK, queue_of(s), f"{s}.*") for s in services),
            _binding(vhost, DEAD, DEAD, ""),
        ],
    }


def _permission(vhost: str, user: str, rights: Rights) -> dict[str, object]:
    asks = any(caller == user for caller, _ in rights)
    serves = any(service == user for _, service in rights)
    own = rf"(reply|hints)\.{user}\.[0-9a-f]{{32}}" if serves else ""
    own = own or rf"reply\.{user}\.[0-9a-f]{{32}}"
    write, read = [own], [own]
    if asks:
        write.append(ASK)
        read.append(REPLY)
    if serves:
        write += [REPLY, HINTS, DEAD]
        read += [re.escape(queue_of(user)), HINTS]
        if not asks:
            read.append(REPLY)
    return {
        "user": user,
        "vhost": vhost,
        "configure": f"^{own}$",
        "write": _any(*write),
        "read": _any(*read),
    }


def _topics(vhost: str, user: str, rights: Rights) -> list[dict[str, object]]:
    may = sorted(
        re.escape(f"{service}.{operation}")
        for (caller, service), operations in rights.items()
        if caller == user
        for operation in operations
    )
    answers = sorted({caller for caller, service in rights if service == user})
    replies = rf"^reply\.({'|'.join(answers)})\.[0-9a-f]{{32}}$" if answers else "^$"
    hints = f"^{MOVED}$" if answers else "^$"
    return [
        _topic(vhost, user, ASK, _any(*may), "^$"),
        _topic(vhost, user, REPLY, replies, rf"^reply\.{user}\.[0-9a-f]{{32}}$"),
        _topic(vhost, user, HINTS, hints, hints),
    ]


def _any(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$" if patterns else "^$"


def _topic(
    vhost: str, user: str, exchange: str, write: str, read: str
) -> dict[str, object]:
    return {
        "user": user,
        "vhost": vhost,
        "exchange": exchange,
        "write": write,
        "read": read,
    }


def _user(name: str, password: str) -> dict[str, object]:
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
        "limits": {"max-connections": LINES, "max-channels": 2 * LINES},
    }


def _limits(vhost: str) -> dict[str, object]:
    return {
        "component": "vhost-limits",
        "name": "limits",
        "vhost": vhost,
        "value": {"max-queues": QUEUES},
    }


def _policy(
    vhost: str, name: str, queues: str, definition: Mapping[str, int]
) -> dict[str, object]:
    return {
        "vhost": vhost,
        "name": name,
        "pattern": queues,
        "apply-to": "queues",
        "priority": 1,
        "definition": definition,
    }


def _exchange(vhost: str, name: str, kind: str) -> dict[str, object]:
    return {
        "name": name,
        "vhost": vhost,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _asks(vhost: str, service: str) -> dict[str, object]:
    return _queue(
        vhost,
        queue_of(service),
        {
            "x-delivery-limit": DELIVERIES,
            "x-max-length": WAITING,
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-strategy": "at-least-once",
        },
    )


def _queue(vhost: str, name: str, arguments: dict[str, object]) -> dict[str, object]:
    return {
        "name": name,
        "vhost": vhost,
        "durable": True,
        "auto_delete": False,
        "arguments": {
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            **arguments,
        },
    }


def _binding(vhost: str, source: str, queue: str, key: str) -> dict[str, object]:
    return {
        "source": source,
        "vhost": vhost,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }
