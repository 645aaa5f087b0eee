"""How the envelope service is put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.audit.api import AuditApi
from services.crm.api import CrmApi
from services.envelope.adapters.mail import MailComposer
from services.envelope.api import EnvelopeApi, Organisation
from services.envelope.handlers import EnvelopeHandlers
from services.envelope.handlers.links import Links
from services.envelope.handlers.renditions import Renditions
from services.envelope.handlers.streams import Streams
from services.envelope.handlers.tickets import Tickets
from services.envelope.handlers.tools import Tools
from services.envelope.model.notice import Notice, evolve_notice
from services.envelope.model.organisation import evolve_organisation
from services.envelope.model.sending import LIFE
from services.envelope.model.state import Envelope, evolve
from services.envelope.ports import Relay
from services.envelope.projections import (
    LinksProjection,
    MessagesProjection,
    OutboxProjection,
)
from services.envelope.queries import (
    CounterTables,
    LinkTable,
    MessageLists,
    OutboxTable,
)
from services.envelope.reactions import Expirer, ForgetReaction, Postman
from services.letters.api import LettersApi
from shared.blobs import Blobs
from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.eventstore.port import EventStore
from shared.failpoints import Failpoints
from shared.follow import Projection
from shared.react import Reaction
from shared.readmodel import ReadModel


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeParts:
    """What this service offers to whoever runs it.

    `postman.run_once()` and `expirer.run_once()` are to be called again and again.
    """

    handlers: EnvelopeApi
    projections: tuple[Projection, ...]
    reactions: tuple[Reaction, ...]
    postman: Postman
    expirer: Expirer


def build_envelope(
    store: EventStore,
    clock: Clock,
    keyring: Keyring,
    readmodel: ReadModel,
    counts: ReadModel,
    blobs: Blobs,
    crm: CrmApi,
    letters: LettersApi,
    audit: AuditApi,
    relay: Relay,
    viewer_url: str,
    undo_window: timedelta,
    failpoints: Failpoints,
    *,
    link_life: timedelta = LIFE,
    lock: Path | None = None,
) -> EnvelopeParts:
    """Join handlers, read models, postman and timers; opens nothing.

    `store` is coded with `keyring`; `counts` is a database of its own, so that whoever
    claims a sending never waits for the lists to be written; `viewer_url` is the
    viewer's address, such as https://letters.example.org; a sending can be undone for
    `undo_window`; an envelope lives `link_life`, at most 7 days, unless asked
    otherwise; `lock` is a file that makes this postman the only one, see `Postman`.
    """
    lists = MessageLists(readmodel, keyring, clock)
    tools = Tools(
        clock=clock,
        keyring=keyring,
        envelopes=Streams(store, clock, Envelope(), evolve),
        notices=Streams(store, clock, Notice(), evolve_notice),
        organisations=Streams(store, clock, Organisation(), evolve_organisation),
        links=Links(keyring, viewer_url),
        tickets=Tickets(keyring),
        renditions=Renditions(keyring, blobs),
        lookup=LinkTable(readmodel),
        lists=lists,
        counters=CounterTables(counts),
        crm=crm,
        letters=letters,
        audit=audit,
        failpoints=failpoints,
        undo=undo_window,
        life=link_life,
    )
    return EnvelopeParts(
        handlers=EnvelopeHandlers(tools),
        projections=(
            LinksProjection(),
            MessagesProjection(keyring),
            OutboxProjection(),
        ),
        reactions=(ForgetReaction(tools, store, blobs),),
        postman=Postman(
            tools, OutboxTable(readmodel), MailComposer(), relay, lock=lock
        ),
        expirer=Expirer(tools),
    )
