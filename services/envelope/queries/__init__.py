"""Readers of the read models, and the operational counters."""

from __future__ import annotations

from services.envelope.queries.counters import CounterTables
from services.envelope.queries.lists import MessageLists
from services.envelope.queries.post import LinkTable, OutboxTable

__all__ = ["CounterTables", "LinkTable", "MessageLists", "OutboxTable"]
