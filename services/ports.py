"""Which ports the product listens on, and the setting that moves each."""

from __future__ import annotations

from typing import Final

from shared.ports import Port
from shared.settings import Settings

BASE: Final = "LETTERLOCK_PORT_BASE (--port-base)"
BROKER: Final = "LETTERLOCK_BROKER_PORT"


def ports_of(settings: Settings, site: str) -> list[Port]:
    """Return the ports of `portal`, `viewer` or `mailbox`; none of another."""
    match site:
        case "portal":
            numbers, host = {"the portal": settings.portal_port}, settings.host
        case "viewer":
            numbers, host = {"the viewer": settings.viewer_port}, settings.host
        case "mailbox":
            numbers, host = (
                {
                    "the mailbox's page": settings.mailbox_port,
                    "the mailbox's SMTP": settings.smtp_port,
                },
                "127.0.0.1",
            )
        case _:
            numbers, host = {}, ""
    return [
        Port(number=number, whose=whose, setting=BASE, host=host)
        for whose, number in numbers.items()
    ]


def ports_of_sites(settings: Settings) -> list[Port]:
    """Return the ports of every site that is run on this machine."""
    mailbox = ["mailbox"] if settings.built_in_mailbox else []
    sites = ["portal", "viewer", *mailbox]
    return [port for site in sites for port in ports_of(settings, site)]


def ports_of_broker(settings: Settings) -> list[Port]:
    """Return the ports of a private RabbitMQ."""
    first = settings.broker_port
    return [
        Port(number=first + offset, whose=whose, setting=BROKER)
        for offset, whose in enumerate(
            ("the private RabbitMQ", "its tools", "its port mapper")
        )
    ]
