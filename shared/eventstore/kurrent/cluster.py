"""Where the cluster is and how it is trusted: read once, checked before any call."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kurrentdbclient.connection_spec import URI_SCHEMES_DISCOVER, ConnectionSpec

from shared.eventstore.ways import content_of, is_here, login_of, options_of
from shared.settings import SettingsError

OPTIONS: Final = {"tls", "nodepreference"}
_PLACEHOLDER: Final = "none:none@"  # the specification insists on having some


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The nodes to ask for their leader, and what proves them and us."""

    targets: tuple[str, ...]  # host:port
    gossip: bool  # ask for the leader; otherwise the one target is it
    spec: ConnectionSpec = field(repr=False)  # as the client wants it; no credentials
    ca: bytes | None = field(default=None, repr=False)  # PEM
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def from_uri(
        cls, uri: str, *, ca: Path | None = None, credentials: Path | None = None
    ) -> Cluster:
        """Read a URI such as `kurrentdb://a:2113,b:2113,c:2113?tls=true`.

        `ca` holds the certificates (PEM) that the nodes must descend from; without it,
        those that gRPC brings along. `credentials` holds one line, `user:password`.

        Raises:
            SettingsError: the URI or a file is not fit. The text shows no secret.
        """
        options_of(urlsplit(uri), OPTIONS)
        spec = _spec(uri)
        found = cls(
            targets=tuple(spec.targets),
            gossip=len(spec.targets) > 1 or spec.scheme in URI_SCHEMES_DISCOVER,
            spec=spec,
            ca=content_of(ca) if ca else None,
            credentials=login_of(credentials) if credentials else None,
        )
        for target in found.targets:
            found.refuse_exposed(target)
        return found

    @property
    def tls(self) -> bool:
        """Tell whether the connection is encrypted."""
        return self.spec.options.tls

    def refuse_exposed(self, target: str) -> None:
        """Refuse plain text to another machine, named by us or by the gossip.

        Raises:
            SettingsError: `target` is elsewhere and encryption is off.
        """
        if not self.tls and not is_here(target.rpartition(":")[0]):
            raise SettingsError("without TLS the store must be on this machine")


def _spec(uri: str) -> ConnectionSpec:
    scheme, slashes, rest = uri.partition("://")
    try:
        spec = ConnectionSpec(f"{scheme}{slashes}{_PLACEHOLDER}{rest}")
    except ValueError:
        raise SettingsError(
            "the store's URI is not of the form kurrentdb://host:port,…?tls=true"
        ) from None
    if spec.options.node_preference != "leader":
        raise SettingsError("the store's URI must prefer the leader")
    return spec
