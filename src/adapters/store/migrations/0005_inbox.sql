-- Webhooks as they came in, one row for each delivery. `about` is what it tells, an About; it is handled once it was acted on, or at once
-- where nobody has to.
CREATE TABLE inbox (
    no          INTEGER PRIMARY KEY AUTOINCREMENT,
    forge       TEXT    NOT NULL CHECK (forge IN ('github', 'gitlab')),
    delivery    TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    handled_at  INTEGER,
    -- How long the body was, and how much of it is kept: all or nothing.
    bytes       INTEGER NOT NULL,
    kept        INTEGER NOT NULL,
    about       TEXT    NOT NULL,
    UNIQUE (forge, delivery)
) STRICT;

CREATE INDEX inbox_unhandled ON inbox (no, kept) WHERE handled_at IS NULL;
CREATE INDEX inbox_by_age ON inbox (received_at);
CREATE INDEX inbox_kept ON inbox (no, kept) WHERE kept > 0;

-- Bodies lie apart, so that a row is marked without its body being written once more.
CREATE TABLE inbox_bodies (
    no   INTEGER PRIMARY KEY,
    body BLOB    NOT NULL
) STRICT;

CREATE TRIGGER inbox_body_goes_along AFTER DELETE ON inbox
BEGIN DELETE FROM inbox_bodies WHERE no = OLD.no; END;

PRAGMA user_version = 5;
