"""Whose request it is, as far as limits are concerned.

What a client says of itself counts for nothing. Only when the peer at the other end of
the line is a proxy of ours is its `X-Forwarded-For` believed, from the right: each hop
was written down by the one after it, so the first that is no proxy of ours is the
client, and what stands left of it the client may have made up. `Forwarded`,
`X-Forwarded-Host` and `X-Forwarded-Proto` are never read.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from flask import Flask, current_app, request

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]
HEADER: Final = "X-Forwarded-For"
HOME: Final = 64  # bits of an IPv6 address that its owner cannot change at will
_EXTENSION: Final = "ll_trusted_proxies"


def use_proxies(app: Flask, trusted: Networks) -> None:
    """Let `source` believe what proxies in `trusted` write into `X-Forwarded-For`."""
    app.extensions[_EXTENSION] = trusted


def source() -> str:
    """Return under what name limits count the request at hand; see `source_of`."""
    trusted: Networks = current_app.extensions[_EXTENSION]
    peer = request.remote_addr or ""
    return source_of(client_of(peer, request.headers.get(HEADER, ""), trusted))


def client_of(peer: str, forwarded: str, trusted: Networks) -> str:
    """Return the address of the client behind `peer`.

    Args:
        peer: address at the other end of the connection.
        forwarded: value of `X-Forwarded-For`, possibly empty, possibly forged.
        trusted: where our proxies are.

    Returns:
        The last address of `forwarded` that is not in `trusted`, if `peer` is; `peer`
        if it is not, if a hop on the way is no address, or if there is no such hop.
    """
    if not is_in(peer, trusted):
        return peer
    for hop in reversed(forwarded.split(",")):
        address = _address(hop.strip(" \t"))
        if address is None:
            return peer
        if not _within(address, trusted):
            return str(address)
    return peer


def source_of(address: str) -> str:
    """Return the address, or for IPv6 its /64: one household has all of it.

    IPv4 written as IPv6 (`::ffff:…`) is IPv4. What is no address stays as it is.
    """
    known = _address(address)
    if isinstance(known, IPv6Address):
        return str(ip_network((known, HOME), strict=False))
    return address if known is None else str(known)


def is_in(address: str, networks: Networks) -> bool:
    """Say whether `address` lies in one of `networks`; what is no address does not."""
    known = _address(address)
    return known is not None and _within(known, networks)


def _within(address: IPv4Address | IPv6Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    if found.scope_id is not None:  # names an interface of whoever wrote it
        return None
    return found.ipv4_mapped or found
