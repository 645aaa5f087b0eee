"""How the letters service is put together."""

from __future__ import annotations

from dataclasses import dataclass

from services.letters.api import LettersApi
from services.letters.handlers.issuing import Issuing
from services.letters.handlers.letters import LettersHandlers
from services.letters.handlers.pages import Pages
from services.letters.handlers.records import Records
from services.letters.handlers.views import Views
from services.letters.ports import ContactKeys
from services.letters.projections import PagesProjection, RecordsProjection
from services.letters.queries import LettersIndex
from services.letters.reactions import Forgetting
from shared.clock import Clock
from shared.eventstore.port import EventStore
from shared.follow import Projection
from shared.react import Reaction
from shared.readmodel import ReadModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersParts:
    """What this service offers to whoever runs it."""

    handlers: LettersApi
    projections: tuple[Projection, ...]
    reactions: tuple[Reaction, ...]


def build_letters(
    store: EventStore, clock: Clock, keyring: ContactKeys, readmodel: ReadModel
) -> LettersParts:
    """Join handlers, lists and reactions.

    `store` seals with the keys of `keyring`: values of a record under its author's,
    texts of letters under the house key.
    """
    pages = Pages(store, clock)
    records = Records(store, clock, pages)
    index = LettersIndex(readmodel)
    handlers = LettersHandlers(
        pages,
        records,
        Issuing(store, clock, pages, records),
        Views(store, index, pages, records),
        index,
    )
    return LettersParts(
        handlers=handlers,
        projections=(PagesProjection(), RecordsProjection()),
        reactions=(Forgetting(store, clock, keyring),),
    )
