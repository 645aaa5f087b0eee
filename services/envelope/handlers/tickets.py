"""Tickets: what a right answer gives to one browser for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.envelope.errors import TicketInvalid
from services.envelope.handlers.links import base32
from shared.clock import from_micros, micros
from shared.crypto.keyring import Keyring
from shared.crypto.seal import keyed_hash, same


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a ticket says."""

    envelope_id: str
    opening_id: UUID
    generation: int
    opened_at: datetime
    expires_at: datetime


class Tickets:
    """Makes and judges tickets. Nothing is kept: a ticket carries its own MAC."""

    def __init__(self, keyring: Keyring) -> None:
        """Derive keys from `keyring`."""
        self._keyring = keyring

    def browser(self, secret: str) -> str:
        """Return the keyed hash by which a browser is known, 64 hex digits.

        Raises:
            TicketInvalid: the browser showed no secret, so nothing can be bound to it.
        """
        if not secret:
            raise TicketInvalid("Letters open only in a browser that keeps cookies.")
        return keyed_hash(self._keyring.derive("browser"), "browser", secret).hex()

    def make(self, said: Pass, browser: str) -> str:
        """Return the ticket that says this to the browser with this hash."""
        text = ".".join(
            (
                said.envelope_id,
                said.opening_id.hex,
                str(said.generation),
                str(micros(said.opened_at)),
                str(micros(said.expires_at)),
            )
        )
        return f"{text}.{self._mac(text, browser)}"

    def judge(self, ticket: str, browser: str) -> Pass:
        """Return what a genuine ticket of this browser says. Says nothing of time.

        Raises:
            TicketInvalid: it was not made here, was changed, or is another browser's.
        """
        text, _, mac = ticket.rpartition(".")
        if not same(mac, self._mac(text, browser)):
            raise TicketInvalid
        envelope_id, opening, generation, opened, expires = text.split(".")
        return Pass(
            envelope_id=envelope_id,
            opening_id=UUID(opening),
            generation=int(generation),
            opened_at=from_micros(int(opened)),
            expires_at=from_micros(int(expires)),
        )

    def _mac(self, text: str, browser: str) -> str:
        key = self._keyring.derive("ticket")
        return base32(keyed_hash(key, "ticket", text, browser))
