"""What the store's database holds, as its owner lays it out. Ours may only append.

Appends pass one function, which numbers facts under a lock that is held until they are
committed and visible: whoever sees position p sees all before it, without a gap.
"""

from __future__ import annotations

from typing import Final

from shared.settings import SettingsError

FORMAT: Final = 1
CHANNEL: Final = "letterlock"
LOCK: Final = 0x6C65747465726C6B  # of whoever appends
WRITTEN, WRONG_VERSION, TAKEN, REPEATED = range(4)
"""Verdicts of `letterlock.append`."""

_LAYOUT: Final = """\
BEGIN;
CREATE SCHEMA letterlock;
CREATE TABLE letterlock.layout (format integer NOT NULL);
INSERT INTO letterlock.layout VALUES (@FORMAT@);
CREATE TABLE letterlock.events (
    pos bigint PRIMARY KEY CHECK (pos > 0),
    version bigint NOT NULL CHECK (version >= 0),
    seal bigint NOT NULL,
    schema integer NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    stream text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    meta bytea NOT NULL,
    UNIQUE (stream, version)
);
ALTER TABLE letterlock.events ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE FUNCTION letterlock.never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a fact is never changed or deleted';
END $$;
CREATE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON letterlock.events
    EXECUTE FUNCTION letterlock.never();
ALTER TABLE letterlock.events ENABLE ALWAYS TRIGGER never;

-- Appends one event and returns its position; null if it cannot be written just so:
-- `append` then tells why.
CREATE FUNCTION letterlock.append_one(
    stream text, expected bigint, id uuid, type text, schema integer, body bytea,
    meta bytea, seal bigint
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head bigint;
    newest bigint;
BEGIN
    @BEGIN@
    SELECT e.version INTO newest FROM letterlock.events e
    WHERE e.stream = append_one.stream ORDER BY e.version DESC LIMIT 1;
    IF coalesce(newest, -1) <> expected THEN
        RETURN NULL;
    END IF;
    PERFORM FROM letterlock.events e WHERE e.event_id = id;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT e.pos INTO head FROM letterlock.events e ORDER BY e.pos DESC LIMIT 1;
    head := coalesce(head, 0) + 1;
    INSERT INTO letterlock.events
    VALUES (head, expected + 1, seal # head, schema, id, stream, type, body, meta);
    PERFORM pg_notify('@CHANNEL@', '');
    RETURN head;
END $$;

-- Appends to streams, one after the other, each with its own verdict. `counts` says how
-- many of the events belong to each. `seals` know no position; it is mixed in here.
CREATE FUNCTION letterlock.append(
    streams text[], expected bigint[], counts integer[], ids uuid[], types text[],
    schemas integer[], bodies bytea[], metas bytea[], seals bigint[]
) RETURNS TABLE (verdict integer, version bigint, pos bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head bigint;
    began bigint;
    newest bigint;
    at integer := 0;
    name text;
    own uuid[];
BEGIN
    @BEGIN@
    SELECT e.pos INTO head FROM letterlock.events e ORDER BY e.pos DESC LIMIT 1;
    head := coalesce(head, 0);
    began := head;
    FOR ask IN 1 .. cardinality(streams) LOOP
        name := streams[ask];
        own := ids[at + 1 : at + counts[ask]];
        SELECT e.version INTO newest FROM letterlock.events e
        WHERE e.stream = name ORDER BY e.version DESC LIMIT 1;
        newest := coalesce(newest, -1);
        verdict := CASE WHEN newest = expected[ask] THEN @WRITTEN@
            ELSE @WRONG_VERSION@ END;
        IF verdict = @WRITTEN@ THEN
            PERFORM FROM letterlock.events e WHERE e.event_id = ANY (own);
            IF FOUND THEN
                verdict := @TAKEN@;
            END IF;
        END IF;
        IF verdict = @WRITTEN@ THEN
            FOR n IN 1 .. counts[ask] LOOP
                at := at + 1;
                head := head + 1;
                newest := newest + 1;
                INSERT INTO letterlock.events VALUES (
                    head, newest, seals[at] # head, schemas[at], ids[at], name,
                    types[at], bodies[at], metas[at]);
            END LOOP;
            version := newest;
            pos := head;
        ELSE
            -- a repeat, if exactly these stand in the stream one after the other
            SELECT CASE
                WHEN count(*) = counts[ask] AND max(found.run) = min(found.run)
                THEN @REPEATED@ ELSE verdict END,
                coalesce(max(found.version), 0), coalesce(max(found.pos), 0)
            INTO verdict, version, pos
            FROM (
                SELECT e.version, e.pos, e.version - offered.n AS run
                FROM unnest(own) WITH ORDINALITY AS offered (id, n)
                JOIN letterlock.events e ON e.event_id = offered.id
                WHERE e.stream = name
            ) found;
            at := at + counts[ask];
        END IF;
        RETURN NEXT;
    END LOOP;
    IF head > began THEN
        PERFORM pg_notify('@CHANNEL@', '');
    END IF;
END $$;

REVOKE ALL ON SCHEMA letterlock FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA letterlock FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA letterlock FROM PUBLIC;
GRANT USAGE ON SCHEMA letterlock TO @ACCOUNT@;
GRANT SELECT ON letterlock.layout, letterlock.events TO @ACCOUNT@;
GRANT EXECUTE ON FUNCTION letterlock.append, letterlock.append_one TO @ACCOUNT@;
COMMIT;
"""

# An older snapshot would miss what others wrote before the lock was ours.
_BEGIN: Final = """IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'facts are appended in read committed transactions';
    END IF;
    IF NOT pg_try_advisory_xact_lock(@LOCK@) THEN
        PERFORM pg_advisory_xact_lock(@LOCK@);
    END IF;"""


def layout(account: str) -> str:
    """Return the SQL by which an owner makes an empty store that `account` appends to.

    Raises:
        SettingsError: `account` is empty, or holds what no name holds.
    """
    if not account or not account.isprintable():
        raise SettingsError("the store's account has no name that can be used")
    named = '"' + account.replace('"', '""') + '"'
    text = _LAYOUT
    for word, value in (
        ("BEGIN", _BEGIN),
        ("FORMAT", FORMAT),
        ("LOCK", LOCK),
        ("CHANNEL", CHANNEL),
        ("WRITTEN", WRITTEN),
        ("REPEATED", REPEATED),
        ("TAKEN", TAKEN),
        ("WRONG_VERSION", WRONG_VERSION),
        ("ACCOUNT", named),
    ):
        text = text.replace(f"@{word}@", str(value))
    return text
