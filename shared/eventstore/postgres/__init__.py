"""The journal on a PostgreSQL server.

In a process patched by eventlet import this package and `psycopg` while `select` and
`threading` are the original ones, and call it through `tpool` only.
"""

from shared.eventstore.postgres.address import Address
from shared.eventstore.postgres.journal import PostgresJournal
from shared.eventstore.postgres.layout import layout

__all__ = ["Address", "PostgresJournal", "layout"]
