"""What one setting may be: a text becomes a value, or ValueError is raised.

No error shows the text; who reads the setting says its name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

LONGEST_LINK: Final = timedelta(days=7)
LONGEST_UNDO: Final = timedelta(minutes=5)
HERE: Final = ("127.0.0.1", "::1", "localhost")
"""How this machine calls itself."""
_WIDEST: Final = {4: 8, 6: 16}  # bits of a prefix; wider is no place of one's own
_MAPPED: Final = IPv6Network("::ffff:0:0/96")  # IPv4 in the clothes of IPv6
_USUAL: Final = {"https": 443, "http": 80}  # ports that browsers leave out


def port(highest: int) -> Callable[[str], int]:
    """Return what reads a port number up to `highest`."""

    def parse(text: str) -> int:
        number = int(text)
        if not 0 < number <= highest:
            raise ValueError
        return number

    return parse


def undo(text: str) -> timedelta:
    """Read seconds, five minutes at most."""
    span = timedelta(seconds=int(text))
    if not timedelta(0) <= span <= LONGEST_UNDO:
        raise ValueError
    return span


def life(text: str) -> timedelta:
    """Read days, seven at most."""
    span = timedelta(days=int(text))
    if not timedelta(0) < span <= LONGEST_LINK:
        raise ValueError
    return span


def folder(text: str) -> Path:
    """Read the path of a folder that may be made."""
    if not text:
        raise ValueError
    return Path(text)


def file(text: str) -> Path | None:
    """Read the path of a file that is there; nothing if nothing is named."""
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ValueError
    return path


def name(text: str) -> str:
    """Read a word without spaces."""
    if not text or not text.isprintable() or " " in text:
        raise ValueError
    return text


def store_uri(text: str) -> str | None:
    """Read where the event store is; its own reader looks closer. No credentials."""
    if text and ("://" not in text or "@" in text):
        raise ValueError
    return name(text) if text else None


def base_address(text: str) -> str | None:
    """Read `https://host[:port]` as browsers write it; plain http to loopback only."""
    if not text:
        return None
    parts = urlsplit(name(text))
    plain = parts.scheme == "http" and parts.hostname in HERE
    if not (plain or parts.scheme == "https") or not parts.hostname:
        raise ValueError
    if text != f"{parts.scheme}://{parts.netloc}".lower() or "@" in text:
        raise ValueError
    if parts.port == _USUAL[parts.scheme] or parts.netloc.endswith(":"):
        raise ValueError
    return text


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks with commas between; none by default.

    Refused are a network that is almost everything, one with bits of a host, one that
    matches nothing because IPv4 is compared as IPv4, and an empty place.
    """
    if not text:
        return ()
    found = tuple(ip_network(part.strip(" ")) for part in text.split(","))
    for network in found:
        if network.prefixlen < _WIDEST[network.version]:
            raise ValueError
        if isinstance(network, IPv6Network) and network.overlaps(_MAPPED):
            raise ValueError
    return found
