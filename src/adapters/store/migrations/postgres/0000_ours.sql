-- What PostgreSQL needs besides the tables of the store: the mark by which this program knows its own schema, and who leads.

-- The number of the last step.
CREATE TABLE schema_version (
    version BIGINT NOT NULL
);

INSERT INTO schema_version VALUES (0);

-- One row: whoever takes the lead takes the next term, so that a leader of an earlier one can be told from it.
CREATE TABLE lead (
    is_only BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    term    BIGINT  NOT NULL,
    holder  TEXT    NOT NULL,
    since   BIGINT  NOT NULL
);

INSERT INTO lead (term, holder, since) VALUES (0, '', 0);
