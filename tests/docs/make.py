"""Writes docs/errors.md and docs/events.md from the code; `make docs` runs it."""

from __future__ import annotations

import dataclasses
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Final

import services
import shared
from shared.errors import BY_CODE
from shared.events import CATALOGUE, Event

DOCS: Final = Path(__file__).parents[2] / "docs"
OURS: Final = ("services.", "shared.")


def load_everything() -> None:
    """Import every module, so that every error and event is in its catalogue."""
    for package in (services, shared):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                import_module(module.name)


def errors_page() -> str:
    """Return every refusal, as a table."""
    lines = [
        "# Refusals",
        "",
        "Made by `make docs` from the code. A code is never renamed and never reused.",
        "",
        "| code | status | says | what to do |",
        "|---|---|---|---|",
    ]
    for code, error in sorted(BY_CODE.items()):
        if error.__module__.startswith(OURS):
            told = (error.__doc__ or "").strip().splitlines()[0]
            lines.append(f"| `{code}` | {error.http_status} | {told} | {error.hint} |")
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """Return every fact, as a table."""
    lines = [
        "# Facts",
        "",
        "Made by `make docs` from the code. *Sealed* fields are encrypted under the",
        "contact's key, *house* fields under the key of the service.",
        "",
        "| fact | service | version | ETSI EN 319 522-1 | meaning | fields |",
        "|---|---|---|---|---|---|",
    ]
    for name, event in sorted(CATALOGUE.items()):
        if event.__module__.startswith(OURS):
            lines.append(
                f"| `{name}` | {_service(event)} | {event.version} | {_etsi(event)} "
                f"| {(event.__doc__ or '').strip().splitlines()[0]} "
                f"| {', '.join(_fields(event))} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both pages."""
    load_everything()
    (DOCS / "errors.md").write_text(errors_page())
    (DOCS / "events.md").write_text(events_page())


def _service(event: type[Event]) -> str:
    parts = event.__module__.split(".")
    return parts[1] if parts[0] == "services" else "each"


def _etsi(event: type[Event]) -> str:
    told = event.__dict__.get("etsi")
    return "by case" if callable(told) else str(told or "")


def _fields(event: type[Event]) -> list[str]:
    def told(name: str) -> str:
        if name in event.personal:
            return f"{name} *(sealed)*"
        return f"{name} *(house)*" if name in event.confidential else name

    return [told(f.name) for f in dataclasses.fields(event)]  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
