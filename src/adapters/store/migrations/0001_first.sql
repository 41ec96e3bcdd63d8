-- What the console did and why. Rows are only ever added: a plan that moves on gets a new row.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    plan_id TEXT    NOT NULL,
    targets INTEGER NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('held', 'undone', 'sent', 'done', 'skipped', 'failed', 'refused')),
    summary TEXT    NOT NULL,
    detail  TEXT    NOT NULL CHECK (json_valid(detail))
) STRICT;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_is_never_thinned BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- INSERT OR REPLACE would delete without asking the trigger above.
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- Needs never change once a pipeline exists, and cost an artifact or several requests to learn.
CREATE TABLE needs (
    pipeline INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    body     TEXT    NOT NULL
) STRICT;

CREATE INDEX needs_by_age ON needs (at);

-- How long builds took. The job is the key, so that seeing a job twice does not count it twice.
CREATE TABLE durations (
    job     INTEGER PRIMARY KEY,
    package TEXT    NOT NULL,
    stack   TEXT    NOT NULL,
    seconds REAL    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX durations_by_pair ON durations (package, stack, at);
CREATE INDEX durations_by_age ON durations (at);

-- Bookmarks, watermarks and whatever else is one text under one name.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- "StHk": the mark by which this program knows its own files.
PRAGMA application_id = 1400129643;
PRAGMA user_version = 1;
