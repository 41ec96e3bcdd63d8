-- Sizes of cache roots over time: one row per root and listing. Old ones are thinned out to one a day.
CREATE TABLE cache_samples (
    url             TEXT COLLATE "C" NOT NULL,
    at              BIGINT NOT NULL,
    skew_ms         BIGINT NOT NULL,
    -- Objects and bytes by kind.
    specs           BIGINT NOT NULL,
    spec_bytes      BIGINT NOT NULL,
    services        BIGINT NOT NULL,
    service_bytes   BIGINT NOT NULL,
    blobs           BIGINT NOT NULL,
    blob_bytes      BIGINT NOT NULL,
    v2              BIGINT NOT NULL,
    v2_bytes        BIGINT NOT NULL,
    "foreign"       BIGINT NOT NULL,
    foreign_bytes   BIGINT NOT NULL,
    has_index       BOOLEAN NOT NULL,
    index_at        BIGINT,
    index_tag       TEXT COLLATE "C",
    newest          BIGINT,
    -- What is NULL was not looked for, or could not be read.
    orphans         BIGINT,
    orphan_bytes    BIGINT,
    holes           BIGINT,
    state           TEXT COLLATE "C",
    PRIMARY KEY (url, at)
);

-- What manifests said, by the server's word for their version: a manifest that has not changed is not read again.
CREATE TABLE cache_manifests (
    url           TEXT COLLATE "C" NOT NULL,
    path          TEXT COLLATE "C" NOT NULL,
    tag           TEXT COLLATE "C" NOT NULL,
    tarball       BYTEA,
    tarball_bytes BIGINT,
    spec          BYTEA,
    spec_bytes    BIGINT,
    is_signed     BOOLEAN NOT NULL,
    PRIMARY KEY (url, path)
);

-- The hashes of the lock that a generate job left: 32 bytes each. Such a lock never changes.
CREATE TABLE generated_locks (
    job    BIGINT PRIMARY KEY,
    hashes BYTEA NOT NULL,
    at     BIGINT NOT NULL
);

CREATE INDEX generated_locks_by_age ON generated_locks (at);
