-- Sizes of cache roots over time: one row per root and listing. Old ones are thinned out to one a day.
CREATE TABLE cache_samples (
    url             TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    -- Objects and bytes by kind.
    specs           INTEGER NOT NULL,
    spec_bytes      INTEGER NOT NULL,
    services        INTEGER NOT NULL,
    service_bytes   INTEGER NOT NULL,
    blobs           INTEGER NOT NULL,
    blob_bytes      INTEGER NOT NULL,
    v2              INTEGER NOT NULL,
    v2_bytes        INTEGER NOT NULL,
    "foreign"       INTEGER NOT NULL,
    foreign_bytes   INTEGER NOT NULL,
    has_index       INTEGER NOT NULL CHECK (has_index IN (0, 1)),
    index_at        INTEGER,
    index_tag       TEXT,
    newest          INTEGER,
    -- What is NULL was not looked for, or could not be read.
    orphans         INTEGER,
    orphan_bytes    INTEGER,
    holes           INTEGER,
    state           TEXT,
    PRIMARY KEY (url, at)
) STRICT, WITHOUT ROWID;

-- What manifests said, by the server's word for their version: a manifest that has not changed is not read again.
CREATE TABLE cache_manifests (
    url           TEXT    NOT NULL,
    path          TEXT    NOT NULL,
    tag           TEXT    NOT NULL,
    tarball       BLOB,
    tarball_bytes INTEGER,
    spec          BLOB,
    spec_bytes    INTEGER,
    is_signed     INTEGER NOT NULL CHECK (is_signed IN (0, 1)),
    PRIMARY KEY (url, path)
) STRICT, WITHOUT ROWID;

-- The hashes of the lock that a generate job left: 32 bytes each. Such a lock never changes.
CREATE TABLE generated_locks (
    job    INTEGER PRIMARY KEY,
    hashes BLOB    NOT NULL,
    at     INTEGER NOT NULL
) STRICT;

CREATE INDEX generated_locks_by_age ON generated_locks (at);

PRAGMA user_version = 3;
