"""Which token stands for which envelope. Holds hashes of tokens, never a token."""

from __future__ import annotations

from sqlalchemy import delete, insert

from services.crm.events import ContactForgotten
from services.envelope.events import EnvelopeSent, LinkRenewed
from services.envelope.tables import LINKS, LINKS_NAME
from shared.events import Recorded
from shared.readmodel import Connection


class LinksProjection:
    """Enters every link ever made; dead ones stay, so that their holder is told."""

    name = LINKS_NAME
    tables = (LINKS,)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact in; an erased contact's links become unknown."""
        match record.event:
            case EnvelopeSent() as sent:
                for purpose, token_hash in (
                    ("letter", sent.link_hash),
                    ("choices", sent.choices_hash),
                ):
                    _enter(connection, sent, token_hash, 1, purpose)
            case LinkRenewed() as renewed:
                _enter(
                    connection,
                    renewed,
                    renewed.link_hash,
                    renewed.generation,
                    "letter",
                )
            case ContactForgotten(contact_id=contact_id):
                connection.execute(
                    delete(LINKS).where(LINKS.c.contact_id == contact_id)
                )
            case _:
                pass


def _enter(
    connection: Connection,
    event: EnvelopeSent | LinkRenewed,
    token_hash: str,
    generation: int,
    purpose: str,
) -> None:
    row = {
        "token_hash": token_hash,
        "envelope_id": event.envelope_id,
        "contact_id": event.contact_id,
        "generation": generation,
        "purpose": purpose,
    }
    connection.execute(insert(LINKS), row)
