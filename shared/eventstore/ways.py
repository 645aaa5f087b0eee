"""What every way to a store on servers has in common: no secret in its address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl

from shared.settings import SettingsError


def options_of(parts: SplitResult, honoured: Collection[str]) -> Mapping[str, str]:
    """Return the options of a store's URI, none of them given twice.

    Raises:
        SettingsError: it holds credentials, or an option that is not in `honoured`;
            names are in lower case there, however they are written.
    """
    if "@" in parts.netloc:
        raise SettingsError(
            "the store's URI holds credentials; put them into a file instead"
        )
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        known = name.lower()
        if known not in honoured or known in options:
            message = f"the store's URI has an option not honoured here: {name}"
            raise SettingsError(message)
        options[known] = value
    return options


def content_of(path: Path) -> bytes:
    """Return what a file holds. Raises SettingsError: it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise SettingsError(message) from None


def login_of(path: Path) -> tuple[str, str]:
    """Return user and password from a file of one line, `user:password`.

    Raises:
        SettingsError: it is not that. The text shows nothing of it.
    """
    line = content_of(path).decode(errors="replace").rstrip("\r\n")
    user, _, password = line.partition(":")
    if not (user and password) or set(line) & {"\n", "\0", "\ufffd"}:
        raise SettingsError("the store's credentials are not one line user:password")
    return user, password


def is_here(host: str) -> bool:
    """Say whether a host is this machine, by its name or address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
