-- Failed jobs with their verdicts: one row per job. A verdict by other rules takes the place of the one before. Long
-- texts stand last, so that a query over the short ones does not read them.
CREATE TABLE failures (
    job            INTEGER PRIMARY KEY,
    at             INTEGER NOT NULL,
    pipeline       INTEGER NOT NULL,
    class          TEXT    NOT NULL,
    fingerprint    TEXT,
    -- How the try after this one ended: a copy from later_tries, kept by the triggers below.
    later          TEXT,
    rule           TEXT,
    owner          TEXT    NOT NULL,
    transient      TEXT    NOT NULL,
    confidence     INTEGER NOT NULL,
    package        TEXT,
    hash           TEXT,
    compiler       TEXT,
    stack          TEXT,
    git_ref        TEXT    NOT NULL,
    sha            TEXT,
    runner         TEXT,
    host           TEXT,
    failure_reason TEXT,
    exit_code      INTEGER,
    line           INTEGER,
    rules          TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    template       TEXT,
    evidence       TEXT
) STRICT;

-- Groups over a range of time are counted from this index alone.
CREATE INDEX failures_by_time ON failures (at, job, class, fingerprint, stack, runner, later);
CREATE INDEX failures_by_class ON failures (class, at);
CREATE INDEX failures_by_fingerprint ON failures (fingerprint, at) WHERE fingerprint IS NOT NULL;
CREATE INDEX failures_by_package ON failures (package, at) WHERE package IS NOT NULL;
CREATE INDEX failures_by_pipeline ON failures (pipeline, at);
CREATE INDEX failures_tried_by_class ON failures (class, at, later) WHERE later IS NOT NULL;
CREATE INDEX failures_tried_by_fingerprint ON failures (fingerprint, at, later)
    WHERE later IS NOT NULL AND fingerprint IS NOT NULL;

-- How the try after a failed job ended. It may be known before the failure itself is judged.
CREATE TABLE later_tries (
    job   INTEGER PRIMARY KEY,
    ended TEXT    NOT NULL CHECK (ended IN ('succeeded', 'failed', 'unknown')),
    at    INTEGER NOT NULL
) STRICT;

CREATE INDEX later_tries_by_age ON later_tries (at);

CREATE TRIGGER later_try_is_copied AFTER INSERT ON later_tries
BEGIN UPDATE failures SET later = NEW.ended WHERE job = NEW.job; END;

CREATE TRIGGER later_try_is_copied_again AFTER UPDATE OF ended ON later_tries
BEGIN UPDATE failures SET later = NEW.ended WHERE job = NEW.job; END;

-- Since when classes and signatures are known. Outlives the failures, so that what is old does not look new.
CREATE TABLE first_seen (
    kind     TEXT    NOT NULL CHECK (kind IN ('class', 'signature')),
    key      TEXT    NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    template TEXT,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX first_seen_by_age ON first_seen (kind, last);

-- How pipelines ended.
CREATE TABLE pipeline_ends (
    id          INTEGER PRIMARY KEY,
    git_ref     TEXT    NOT NULL,
    stack       TEXT,
    ok          INTEGER NOT NULL CHECK (ok IN (0, 1)),
    finished_at INTEGER NOT NULL
) STRICT;

CREATE INDEX pipeline_ends_by_time ON pipeline_ends (finished_at);
CREATE INDEX pipeline_ends_by_ref ON pipeline_ends (git_ref, finished_at);

-- Who looks after a class, or after one signature of it. A number is never used twice: what was shown is what is
-- removed.
CREATE TABLE acknowledgements (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    class       TEXT    NOT NULL,
    fingerprint TEXT,
    who         TEXT    NOT NULL,
    note        TEXT    NOT NULL,
    until       INTEGER,
    created     INTEGER NOT NULL
) STRICT;

CREATE INDEX acknowledgements_by_subject ON acknowledgements (class, fingerprint);
CREATE INDEX acknowledgements_by_end ON acknowledgements (until) WHERE until IS NOT NULL;

-- Which jobs were retried without being asked. A job has one turn.
CREATE TABLE auto_retries (
    job   INTEGER PRIMARY KEY,
    class TEXT    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

CREATE INDEX auto_retries_by_class ON auto_retries (class, at);
CREATE INDEX auto_retries_by_age ON auto_retries (at);

-- Which parts of a list's past have been read, and where to go on reading below each of them.
CREATE TABLE covered (
    list      TEXT    NOT NULL,
    oldest    INTEGER NOT NULL,
    up_to     INTEGER NOT NULL CHECK (oldest < up_to),
    next_page TEXT,
    PRIMARY KEY (list, oldest)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
