"""A port that somebody has is told by number, by purpose and with the way out."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from services.ports import ports_of, ports_of_broker, ports_of_sites
from shared.ports import Port, PortTaken, refuse_taken
from shared.settings import Settings
from tests.ports import a_quiet_port


def test_taken_ports_are_told_all_at_once() -> None:
    free = Port(number=a_quiet_port(), whose="nobody", setting="NOTHING")
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        with closing(socket.create_server(("127.0.0.1", 0))) as two:
            portal = Port(number=one.getsockname()[1], whose="the portal", setting="B")
            viewer = Port(number=two.getsockname()[1], whose="the viewer", setting="A")
            with pytest.raises(PortTaken) as refused:
                refuse_taken([portal, free, viewer])
        assert str(refused.value) == (
            f"a port is taken: {portal.number} for the portal, "
            f"{viewer.number} for the viewer"
        )
        assert "A and B" in refused.value.hint
        refuse_taken([free, viewer])


def test_who_listens_on_every_address_has_the_port_too() -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as everywhere:  # noqa: S104
        assert Port(number=everywhere.getsockname()[1]).taken


def test_connections_that_have_ended_do_not_hold_a_port() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = Port(number=server.getsockname()[1])
    with closing(socket.create_connection(server.getsockname())):
        server.accept()[0].close()  # closed here first: the system waits on this side
        server.close()
        assert not port.taken


def test_every_port_has_one_purpose(tmp_path: Path) -> None:
    settings = Settings.from_env({"LETTERLOCK_DATA": str(tmp_path)})
    ports = [*ports_of_sites(settings), *ports_of_broker(settings)]
    assert len({port.number for port in ports}) == len(ports) == 7
    assert len({port.whose for port in ports}) == len(ports)
    elsewhere = replace(settings, smtp_host="mail.example.org")
    assert [port.whose for port in ports_of_sites(elsewhere)] == [
        "the portal",
        "the viewer",
    ]
    assert ports_of(settings, "nothing") == []
