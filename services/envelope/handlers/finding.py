"""From a token to the envelope behind it, and how its door stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.envelope.errors import EnvelopeUnknown
from services.envelope.handlers.links import Purpose, hash_of
from services.envelope.handlers.streams import stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.door import Standing, standing
from services.envelope.model.state import Envelope
from services.envelope.ports import LinkRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A genuine link of a contact who was not erased, at one moment."""

    stream: str
    envelope: Envelope
    generation: int
    at: datetime
    here: Standing


class Finder:
    """Finds what a token stands for. The stream decides, never the look-up table."""

    def __init__(self, tools: Tools) -> None:
        """Work with `tools`."""
        self._tools = tools

    def row(self, token: str, purpose: Purpose) -> LinkRow | None:
        """Return what a genuine token of this purpose stands for, else None."""
        if not self._tools.links.could_be(token):
            return None
        row = self._tools.lookup.find(hash_of(token))
        if row is None or row.purpose != purpose:
            return None
        genuine = self._tools.links.is_genuine(token, row)
        erased = self._tools.keyring.is_destroyed(row.contact_id)
        return row if genuine and not erased else None

    def find(self, token: str) -> Found | None:
        """Return the envelope behind a letter link.

        None if it is unknown, erased or has not left: nobody can tell these apart.
        """
        row = self.row(token, "letter")
        if row is None:
            return None
        stream = stream_of(row.envelope_id)
        loaded = self._tools.envelopes.load(stream)
        at = self._tools.envelopes.now(loaded)
        here = standing(loaded.state, row.generation, at)
        if here.state == "unknown":
            return None
        return Found(
            stream=stream,
            envelope=loaded.state,
            generation=row.generation,
            at=at,
            here=here,
        )

    def must_find(self, token: str) -> Found:
        """As `find`. Raises EnvelopeUnknown in place of None."""
        found = self.find(token)
        if found is None:
            raise EnvelopeUnknown
        return found
