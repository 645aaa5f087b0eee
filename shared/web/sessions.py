"""Sessions of people who signed in, kept on the server and ended there.

Rows live in the web service's own `sessions.db`: operational state, not facts. A row
holds an actor's id and a secret for form tokens, nothing personal; roles are asked for
afresh at each request by whoever needs them. Beside a session lie the drafts of its
forms, sealed by `drafts` under a key this file does not hold; they go when it goes.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from flask import current_app, g, request
from werkzeug import Response

from shared.clock import Clock, micros
from shared.errors import Fault
from shared.web.cookies import SESSION, drop_cookie, set_cookie

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=12)
DRAFT: Final = timedelta(minutes=30)  # how long a draft can be asked for
MOST_DRAFTS: Final = 8  # of one session; the oldest go first
TOUCHED: Final = timedelta(seconds=10)  # use is noted this often, not at each request
MICROSECOND: Final = timedelta(microseconds=1)
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sessions (
    token_hash BLOB PRIMARY KEY,
    actor_id TEXT NOT NULL,
    csrf_secret BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_of_actor ON sessions (actor_id);
CREATE TABLE IF NOT EXISTS drafts (
    token_hash BLOB NOT NULL REFERENCES sessions ON DELETE CASCADE,
    form BLOB NOT NULL,
    kept_at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (token_hash, form)
) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser."""

    actor_id: str
    csrf_secret: bytes = field(repr=False)  # 32 bytes


class Sessions:
    """Starts, finds and ends sessions. Every answer is read from disk: no cache.

    Each method raises `Fault` when the file cannot be used: nobody is then signed in.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        idle: timedelta = IDLE,
        absolute: timedelta = ABSOLUTE,
    ) -> None:
        """Keep rows in the SQLite file at `path`, opened at the first use."""
        self._path = path
        self._clock = clock
        self._idle = idle
        self._absolute = absolute
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def start(self, actor_id: str, *, replacing: str = "") -> str:
        """Begin a session and return its token (256 bits, base64url), kept only hashed.

        The session of token `replacing`, if any, is dead in the same transaction.
        """
        token = secrets.token_urlsafe(32)
        now = micros(self._clock.now())
        with self._transaction() as store:
            store.execute("DELETE FROM sessions WHERE token_hash = ?", _key(replacing))
            store.execute(
                "DELETE FROM sessions WHERE seen_at <= ? OR started_at <= ?",
                self._oldest(now),
            )
            store.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
                (*_key(token), actor_id, secrets.token_bytes(32), now, now),
            )
        return token

    def find(self, token: str) -> Session | None:
        """Return the live session of `token` and note that it was used; else None.

        Dead are: unknown, ended, idle for `idle`, older than `absolute`.
        """
        if not token:
            return None
        now = micros(self._clock.now())
        with self._transaction() as store:
            row: tuple[str, bytes, int] | None = store.execute(
                "SELECT actor_id, csrf_secret, seen_at FROM sessions "
                "WHERE token_hash = ? AND seen_at > ? AND started_at > ?",
                (*_key(token), *self._oldest(now)),
            ).fetchone()
            if row and now - row[2] >= TOUCHED // MICROSECOND:
                store.execute(
                    "UPDATE sessions SET seen_at = ? WHERE token_hash = ?",
                    (now, *_key(token)),
                )
        return Session(actor_id=row[0], csrf_secret=row[1]) if row else None

    def end(self, token: str) -> None:
        """End one session; the next request with it is refused."""
        with self._transaction() as store:
            store.execute("DELETE FROM sessions WHERE token_hash = ?", _key(token))

    def end_all(self, actor_id: str, *, but: str = "") -> int:
        """End every session of an actor, save that of token `but`; return how many."""
        with self._transaction() as store:
            return store.execute(
                "DELETE FROM sessions WHERE actor_id = ? AND token_hash <> ?",
                (actor_id, *_key(but)),
            ).rowcount

    def keep_draft(self, token: str, form: bytes, sealed: bytes) -> None:
        """Keep the last draft of `form` with a session; nothing if that has ended."""
        now = micros(self._clock.now())
        with self._transaction() as store:
            store.execute("DELETE FROM drafts WHERE kept_at <= ?", (_faded(now),))
            store.execute(
                "INSERT OR REPLACE INTO drafts (token_hash, form, kept_at, sealed) "
                "SELECT token_hash, ?, ?, ? FROM sessions WHERE token_hash = ?",
                (form, now, sealed, *_key(token)),
            )
            store.execute(
                "DELETE FROM drafts WHERE token_hash = ? AND rowid NOT IN (SELECT rowid"
                " FROM drafts WHERE token_hash = ? ORDER BY rowid DESC LIMIT ?)",
                (*_key(token), *_key(token), MOST_DRAFTS),
            )

    def find_draft(self, token: str, form: bytes) -> bytes | None:
        """Return the draft of `form` if one was kept within the last half hour."""
        with self._transaction() as store:
            row: tuple[bytes] | None = store.execute(
                "SELECT sealed FROM drafts "
                "WHERE token_hash = ? AND form = ? AND kept_at > ?",
                (*_key(token), form, _faded(micros(self._clock.now()))),
            ).fetchone()
        return row[0] if row else None

    def drop_draft(self, token: str, form: bytes) -> None:
        """Forget the draft of `form`: it is no longer needed."""
        with self._transaction() as store:
            store.execute(
                "DELETE FROM drafts WHERE token_hash = ? AND form = ?",
                (*_key(token), form),
            )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._opened:
                self._opened.close()
            self._opened = None

    def _oldest(self, now: int) -> tuple[int, int]:
        return now - self._idle // MICROSECOND, now - self._absolute // MICROSECOND

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._opened = self._opened or self._open()
                with self._opened:
                    yield self._opened
            except (sqlite3.Error, OSError) as error:
                raise Fault("the session store does not answer") from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Only if it is absent: closing a file that SQLite has open in this process
        # drops its locks. SQLite gives its other files the rights of this one.
        with suppress(FileExistsError):
            self._path.touch(0o600, exist_ok=False)
        opened = sqlite3.connect(self._path, check_same_thread=False, timeout=5)
        try:
            opened.execute("PRAGMA journal_mode = WAL")
            opened.execute("PRAGMA secure_delete = ON")
            opened.execute("PRAGMA foreign_keys = ON")
            opened.executescript(SCHEMA)
        except sqlite3.Error:
            opened.close()
            raise
        return opened


def current_session() -> Session | None:
    """Return the live session of the request at hand, looked up once; else None."""
    if "ll_session" not in g:
        store = current_app.extensions.get("ll_sessions")
        token = request.cookies.get(SESSION, "")
        g.ll_session = store.find(token) if isinstance(store, Sessions) else None
    found: Session | None = g.ll_session
    return found


def sign_in(response: Response, sessions: Sessions, actor_id: str) -> Response:
    """Put a new session into `response`; the browser's old one is dead."""
    token = sessions.start(actor_id, replacing=request.cookies.get(SESSION, ""))
    set_cookie(response, SESSION, token)
    return response


def sign_out(response: Response, sessions: Sessions) -> Response:
    """End this browser's session on the server, then have the browser forget it all."""
    sessions.end(request.cookies.get(SESSION, ""))
    drop_cookie(response, SESSION)
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def _faded(now: int) -> int:
    return now - DRAFT // MICROSECOND


def _key(token: str) -> tuple[bytes]:
    return (hashlib.sha256(token.encode()).digest(),)
