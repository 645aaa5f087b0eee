"""What a web front end is told from outside. Links are built from here, never Host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from shared.web.sources import Networks

Site = Literal["portal", "viewer"]
LARGEST_BODY: Final = 1024 * 1024  # bytes; letters and forms are text


class WebSettingsError(Exception):
    """A setting of a web front end contradicts itself; says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The values one web front end is built with."""

    site: Site
    base_url: str  # scheme, host and port as the public sees them; no path
    organisation: str = "Letterlock"  # printed in titles and on the letter paper
    other_hosts: frozenset[str] = frozenset()  # further `Host` values answered
    tls: bool = False  # True only where the public side is https
    largest_body: int = LARGEST_BODY
    csrf_life: timedelta = timedelta(hours=12)  # a form left open longer is refused
    without_csrf: frozenset[str] = frozenset()  # endpoints; see `without_csrf`
    trusted_proxies: Networks = ()  # believed about who their client is

    def __post_init__(self) -> None:
        """Refuse a base address that could not be right.

        Raises:
            WebSettingsError: `base_url` has a path, no host, or denies `tls`.
        """
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts[1]:
            raise WebSettingsError("base_url must be http(s)://host[:port]")
        if parts.path or parts.query or parts.fragment:
            raise WebSettingsError("base_url must have no path and no query")
        if self.tls and parts.scheme != "https":
            raise WebSettingsError("tls is on, so base_url must start with https")

    @property
    def host(self) -> str:
        """The one `Host` header value browsers send to this site."""
        return urlsplit(self.base_url).netloc.lower()

    def answers_to(self, host: str) -> bool:
        """Say whether a request with this `Host` header is meant for us."""
        return host.lower() == self.host or host.lower() in self.other_hosts

    def link(self, path: str) -> str:
        """Return the absolute address of `path`, which starts with a slash."""
        return self.base_url + path
