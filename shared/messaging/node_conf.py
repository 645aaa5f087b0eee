"""What a private RabbitMQ node is told in its configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LONGEST_LOG: Final = 4 * 1024 * 1024  # bytes of one of its logs; there are three


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a node shows its callers, so that it need not be believed; PEM files."""

    ca: Path
    certificate: Path
    key: Path


def configuration(port: int, definitions: Path, tls: Tls | None) -> str:
    """Return the text of `rabbitmq.conf`.

    Args:
        port: of loopback, where it takes connections; nowhere else.
        definitions: the file that it loads when it starts.
        tls: with it, nothing but TLS is spoken there.
    """
    return (
        f"{_listeners(port, tls)}\n"
        f"load_definitions = {definitions.absolute()}\n"
        "loopback_users.guest = true\n"
        "log.console = false\n"
        "log.file.level = warning\n"
        f"log.file.rotation.size = {LONGEST_LOG}\n"
        "log.file.rotation.count = 2\n"
        "max_message_size = 16777216\n"
        "vm_memory_high_watermark.absolute = 512MB\n"
        "disk_free_limit.absolute = 64MB\n"
    )


def _listeners(port: int, tls: Tls | None) -> str:
    here = f"127.0.0.1:{port}"
    if tls is None:
        return f"listeners.tcp.1 = {here}"
    return "\n".join(
        (
            "listeners.tcp = none",
            f"listeners.ssl.1 = {here}",
            f"ssl_options.cacertfile = {tls.ca.absolute()}",
            f"ssl_options.certfile = {tls.certificate.absolute()}",
            f"ssl_options.keyfile = {tls.key.absolute()}",
            "ssl_options.versions.1 = tlsv1.3",
            "ssl_options.versions.2 = tlsv1.2",
        )
    )
