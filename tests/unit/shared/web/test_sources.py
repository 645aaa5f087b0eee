"""Whose request it is: what a client says of itself counts for nothing."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from flask import Flask, request, url_for
from hypothesis import given
from hypothesis import strategies as st

from shared.web.server import WebServer
from shared.web.sources import Networks, client_of, source, source_of, use_proxies
from tests.waiting import LONG

OURS: Networks = (ip_network("10.42.0.0/24"), ip_network("fd00:42::/64"))
PEERS = st.one_of(
    st.ip_addresses(v=4, network="10.42.0.0/24"),
    st.ip_addresses(v=6, network="fd00:42::/64"),
)
STRANGERS = st.ip_addresses().filter(
    lambda found: (
        not any(found in network for network in OURS)
        and not (
            isinstance(found, IPv6Address) and (found.ipv4_mapped or found.scope_id)
        )
    )
)
JUNK = st.text(max_size=60)


@given(peer=STRANGERS, header=JUNK | st.builds(str, PEERS))
def test_a_stranger_is_who_it_is_whatever_it_says(
    peer: IPv4Address | IPv6Address, header: str
) -> None:
    assert client_of(str(peer), header, OURS) == str(peer)


@given(peer=PEERS | STRANGERS, header=JUNK)
def test_without_proxies_of_ours_no_header_counts(peer: object, header: str) -> None:
    assert client_of(str(peer), header, ()) == str(peer)


@given(peer=PEERS, client=STRANGERS, forged=JUNK, hops=st.lists(PEERS, max_size=3))
def test_behind_proxies_it_is_the_last_hop_that_is_none(
    peer: object, client: object, forged: str, hops: list[object]
) -> None:
    header = ", ".join([forged, str(client), *map(str, hops)])
    assert client_of(str(peer), header, OURS) == str(client)


@given(peer=PEERS, forged=JUNK, hops=st.lists(PEERS, max_size=3))
def test_a_hop_that_is_no_address_leaves_the_peer(
    peer: object, forged: str, hops: list[object]
) -> None:
    for broken in ("", "unknown", "1.2.3.4:80", "[2001:db8::1]", "fe80::1%eth0", "1.2"):
        header = ", ".join([forged, broken, *map(str, hops)])
        assert client_of(str(peer), header, OURS) == str(peer)


@given(peer=PEERS, header=JUNK)
def test_any_header_gives_an_address(peer: object, header: str) -> None:
    assert source_of(client_of(str(peer), header, OURS))


def test_proxies_alone_are_the_client_themselves() -> None:
    assert client_of("10.42.0.1", "10.42.0.9, 10.42.0.2", OURS) == "10.42.0.1"


def test_ipv4_written_as_ipv6_is_ipv4() -> None:
    assert client_of("::ffff:10.42.0.1", "::ffff:192.0.2.7", OURS) == "192.0.2.7"
    assert source_of("::ffff:192.0.2.7") == source_of("192.0.2.7") == "192.0.2.7"


@given(st.ip_addresses(v=6, network="2001:db8:0:7::/64"))
def test_a_household_of_ipv6_is_one_source(address: object) -> None:
    assert source_of(str(address)) == "2001:db8:0:7::/64"


def test_neighbours_in_ipv6_are_two_sources() -> None:
    assert source_of("2001:db8:0:7::1") != source_of("2001:db8:0:8::1")


@pytest.fixture(params=["", "127.0.0.0/8"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[WebServer, bool]]:
    trusted: Networks = (ip_network(request.param),) if request.param else ()
    app = Flask("told")
    app.config["MAX_CONTENT_LENGTH"] = 1000
    use_proxies(app, trusted)
    app.add_url_rule("/", view_func=_told)
    running = WebServer(app, "127.0.0.1", 0, trusted=trusted)
    running.start()
    yield running, bool(trusted)
    running.stop()


def _told() -> str:
    return f"{source()} {request.scheme} {url_for('_told', _external=True)}"


def test_over_the_line_only_our_proxy_is_believed_and_only_about_the_client(
    server: tuple[WebServer, bool],
) -> None:
    running, trusted = server
    line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=LONG)
    with closing(line):
        line.putrequest("GET", "/", skip_host=True)
        for name, value in (
            ("Host", "letters.test"),
            ("X-Forwarded-For", "203.0.113.9, 192.0.2.7"),
            ("X_Forwarded_For", "198.51.100.1"),
            ("X-Real-IP", "198.51.100.2"),
            ("Forwarded", "for=198.51.100.3;host=evil.test;proto=https"),
            ("X-Forwarded-Host", "evil.test"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Prefix", "/evil"),
        ):
            line.putheader(name, value)
        line.endheaders()
        told = line.getresponse().read().decode()
    client = "192.0.2.7" if trusted else "127.0.0.1"
    assert told == f"{client} http http://letters.test/"


def test_pages_ask_nowhere_else_whose_request_it_is() -> None:
    """The peer's address and what proxies write are read in one module."""
    top = Path(__file__).parents[4]
    words = ("remote_addr", "access_route", "X-Forwarded", "ProxyFix", "REMOTE_ADDR")
    found = {
        str(path.relative_to(top))
        for folder in ("services", "shared")
        for path in (top / folder).rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found == {"shared/web/server.py", "shared/web/sources.py"}
