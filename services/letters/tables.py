"""The lists of pages and records as tables.

Titles are plain text. Bodies and values are not here at all: a row says where in the
store they lie, sealed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

PAGES_NAME: Final = "letters-pages-v1"
RECORDS_NAME: Final = "letters-records-v1"

_META: Final = MetaData()

PAGES: Final = Table(
    "letters_pages",
    _META,
    Column("page", String(6), primary_key=True),
    Column("page_type", String(10), nullable=False),
    Column("title", String(200), nullable=False),  # as approved, else the newest
    Column("kind", String(10), nullable=False),
    Column("status", String(10), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("approved_revision", Integer),
    Column("letter_class", String(10)),
    Column("purpose", String(10)),
    Column("fact_required", Boolean, nullable=False),
    Column("answers", String(6)),
    Column("changed_at", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("author_id", String(80), nullable=False),
    Column("withdrawn_at", BigInteger),  # position of its LetterWithdrawn
    Column("position", BigInteger, nullable=False),  # of its last change
    Index("letters_pages_position", "position"),
)

REVISIONS: Final = Table(
    "letters_revisions",
    _META,
    Column("page", String(6), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),  # of its LetterDrafted
    Column("title", String(200), nullable=False),
    Column("drafted_at", BigInteger, nullable=False),
    Column("status", String(10), nullable=False),
    Column("decided_by", String(80)),
    Column("decided_at", BigInteger),
    Column("comment_at", BigInteger),  # position of its LetterReturned
)

WORDS: Final = Table(
    "letters_words",
    _META,
    Column("page", String(6), primary_key=True),
    Column("word", String(200), primary_key=True),  # of its titles, folded
    Index("letters_words_word", "word"),
)

RECORDS: Final = Table(
    "letters_records",
    _META,
    Column("record", String(13), primary_key=True),
    Column("page", String(6), nullable=False),
    Column("author_id", String(32), nullable=False),
    Column("subject_id", String(32)),
    Column("assignee_id", String(32)),
    Column("position", BigInteger, nullable=False),  # of its newest state
    Index("letters_records_page", "page", "position"),
    Index("letters_records_author", "author_id", "position"),
    Index("letters_records_subject", "subject_id", "position"),
    Index("letters_records_assignee", "assignee_id", "position"),
)
