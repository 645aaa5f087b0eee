"""The import rules, generated from the folders so that none can be forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PUBLIC: Final = {"api", "commands", "events", "errors"}
ROOMS: Final = (
    "wiring",
    "service | web | adapters | reactions",
    "handlers",
    "queries | projections",
    "tables",
    "ports",
    "model",
    "api",
    "commands",
    "events | errors",
)
DOORS: Final = {
    "sqlalchemy": [
        "shared.readmodel",
        "shared.statements",
        "services.*.tables",
        "services.*.projections",
        "services.*.queries",
        "services.*.projections.**",
        "services.*.queries.**",
    ],
    "cryptography": ["shared.crypto.**"],
    "argon2": ["shared.crypto.passwords"],
    "flask": ["shared.web.**", "services.*.web", "services.*.web.**"],
    "werkzeug": ["shared.web.**", "services.*.web", "services.*.web.**"],
    "wtforms": ["shared.web.**", "services.*.web", "services.*.web.**"],
    "govuk_frontend_jinja": ["shared.web.**"],
    "govuk_frontend_wtf": ["shared.web.**", "services.*.web.**"],
    "cheroot": ["shared.web.server"],
    "aiosmtpd": ["shared.mailbox"],
    "markdown_it": ["shared.markup"],
    "nh3": ["shared.markup"],
    "tenacity": ["shared.retry", "shared.react", "shared.messaging.**"],
    "requests": ["services.browser"],
    "sqlite3": ["shared.eventstore.**", "shared.crypto.**", "shared.web.sessions"],
    "smtplib": ["services.envelope.adapters.**"],
    "kurrentdbclient": ["shared.eventstore.kurrent.**"],
    "psycopg": ["shared.eventstore.postgres.**"],
    "nameko": ["shared.messaging.nameko_typed"],
    "eventlet": ["shared.messaging.nameko_typed"],
    "kombu": ["shared.messaging.rabbit.broker"],
    "amqp": ["shared.messaging.rabbit.broker", "shared.messaging.rabbit.frames"],
}
IMPURE: Final = [
    "flask", "sqlalchemy", "cryptography", "os", "socket", "time", "random", "secrets",
    "sqlite3", "pathlib", "shared.messaging", "shared.crypto", "shared.readmodel",
    "shared.blobs", "shared.web",
]  # fmt: skip


def services() -> list[str]:
    """Return the names of the service folders."""
    return sorted(
        folder.name
        for folder in (ROOT / "services").iterdir()
        if (folder / "__init__.py").exists()
    )


def rooms_of(service: str) -> list[str]:
    """Return the rooms a service has."""
    folder = ROOT / "services" / service
    return sorted(
        entry.stem
        for entry in folder.iterdir()
        if (entry.suffix == ".py" and entry.stem != "__init__")
        or (entry / "__init__.py").exists()
    )


def config() -> str:
    """Return the import-linter configuration, as INI text."""
    parts = [
        (
            "[importlinter]\nroot_packages =\n    services\n    shared\n"
            "include_external_packages = True\n"
        ),
        _contract("shared-alone", "shared knows no service", "forbidden", {
            "source_modules": ["shared"], "forbidden_modules": ["services"],
        }),
        _contract("rooms", "rooms of a service, top to bottom", "layers", {
            "containers": [f"services.{name}" for name in services()],
            "layers": [
                " | ".join(f"({room})" for room in layer.split(" | "))
                for layer in ROOMS
            ],
            "exhaustive": ["True"],
        }),
        _contract("pure", "models, events and commands are pure", "forbidden", {
            "source_modules": [
                f"services.{name}.{room}"
                for name in services()
                for room in ("model", "events", "commands", "errors", "api")
                if room in rooms_of(name)
            ],
            "forbidden_modules": IMPURE,
            "allow_indirect_imports": ["True"],
        }),
    ]  # fmt: skip
    for name in services():
        private = [room for room in rooms_of(name) if room not in PUBLIC]
        parts.append(
            _contract(f"private-{name}", f"{name} shows its public rooms only",
                "protected", {
                    "protected_modules": [f"services.{name}.{r}" for r in private],
                    "allowed_importers": [
                        f"services.{name}", "services.compose", "services.embedded",
                    ],
                })
        )  # fmt: skip
    for library, doors in DOORS.items():
        parts.append(
            _contract(f"door-{library}", f"{library} has one door", "forbidden", {
                "source_modules": ["services", "shared"],
                "forbidden_modules": [library],
                "allow_indirect_imports": ["True"],
                "ignore_imports": [f"{door} -> {library}" for door in doors],
                "unmatched_ignore_imports_alerting": ["none"],
            })
        )  # fmt: skip
    return "\n".join(parts)


def _contract(key: str, name: str, kind: str, fields: dict[str, list[str]]) -> str:
    lines = [f"[importlinter:contract:{key}]", f"name = {name}", f"type = {kind}"]
    for field, values in fields.items():
        if len(values) == 1 and field not in {"layers", "source_modules"}:
            lines.append(f"{field} = {values[0]}")
        else:
            lines += [f"{field} =", *(f"    {value}" for value in values)]
    return "\n".join(lines) + "\n"
