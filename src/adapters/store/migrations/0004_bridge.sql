-- What a bridge remembers, by its name: the GitLab project that it serves.

-- Pushes that GitLab accepted. `body` is a PushRecord.
CREATE TABLE bridge_pushes (
    bridge TEXT    NOT NULL,
    "commit" TEXT  NOT NULL,
    pr     INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (bridge, "commit")
) STRICT, WITHOUT ROWID;

-- What GitHub is known to show. `body` is a Posted; it is uncertain from before a status is sent until GitHub has answered.
CREATE TABLE bridge_statuses (
    bridge       TEXT    NOT NULL,
    sha          TEXT    NOT NULL,
    context      TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    is_uncertain INTEGER NOT NULL CHECK (is_uncertain IN (0, 1)),
    body         TEXT    NOT NULL,
    PRIMARY KEY (bridge, sha, context)
) STRICT, WITHOUT ROWID;

-- What was found out about a pull request or a ref (`pr 51234`, `refs/tags/v1`): facts of git, and how it failed.
CREATE TABLE bridge_notes (
    bridge  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (bridge, subject)
) STRICT, WITHOUT ROWID;

-- Decisions, a row for each that is not the one before it.
CREATE TABLE bridge_decisions (
    id      INTEGER PRIMARY KEY,
    bridge  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    head    TEXT    NOT NULL,
    verdict TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    told    TEXT    NOT NULL
) STRICT;

CREATE INDEX bridge_decisions_by_subject ON bridge_decisions (bridge, subject, id);

PRAGMA user_version = 4;
