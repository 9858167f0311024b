//! The tables of core.db. A migration that was released is frozen: a change is one more.

pub(super) const MIGRATIONS: &[&str] = &[VERSION_1];

/// The id of a body is its batch's arrival number times 256 plus its index.
const VERSION_1: &str = "
CREATE TABLE counters (id INTEGER PRIMARY KEY CHECK (id = 0), arrival INTEGER NOT NULL, journal INTEGER NOT NULL);
INSERT INTO counters VALUES (0, 0, 0);

CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE entries (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, on_server INTEGER NOT NULL);
CREATE TABLE entry_packs (
    seq INTEGER NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (seq, number)
);
CREATE TABLE statements (device BLOB PRIMARY KEY, counter INTEGER NOT NULL, bytes BLOB NOT NULL);

CREATE TABLE packs (
    number INTEGER PRIMARY KEY, space BLOB NOT NULL, epoch INTEGER NOT NULL, keys INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE INDEX packs_of_space ON packs (space, number);
CREATE TABLE own_keys (
    space BLOB NOT NULL, id BLOB NOT NULL, secret BLOB NOT NULL, PRIMARY KEY (space, id)
) WITHOUT ROWID;

CREATE TABLE batches (
    arrival INTEGER PRIMARY KEY, space BLOB NOT NULL, device BLOB NOT NULL, seq INTEGER NOT NULL,
    hash BLOB NOT NULL, pos INTEGER, root BLOB, signature BLOB NOT NULL, head BLOB NOT NULL, items BLOB NOT NULL,
    UNIQUE (space, device, seq)
);
CREATE INDEX batches_placed ON batches (space, pos) WHERE pos IS NOT NULL;
CREATE INDEX batches_unplaced ON batches (space, device, seq) WHERE pos IS NULL;
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY, space BLOB NOT NULL, doc_tag BLOB NOT NULL, state INTEGER NOT NULL, body BLOB
);
CREATE INDEX bodies_of_document ON bodies (space, doc_tag);
CREATE INDEX bodies_waiting ON bodies (id) WHERE state = 1;
CREATE TABLE cursors (space BLOB PRIMARY KEY, pos INTEGER NOT NULL, root BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE unsent (
    generation BLOB PRIMARY KEY, arrival INTEGER NOT NULL UNIQUE, space BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX unsent_of_space ON unsent (space, arrival);
CREATE TABLE objects (
    arrival INTEGER PRIMARY KEY, space BLOB NOT NULL, hash BLOB NOT NULL, wire BLOB NOT NULL, UNIQUE (space, hash)
);
CREATE INDEX objects_of_space ON objects (space, arrival);

CREATE TABLE journal (
    generation BLOB NOT NULL, number INTEGER NOT NULL, row BLOB NOT NULL, PRIMARY KEY (generation, number)
) WITHOUT ROWID;
";
