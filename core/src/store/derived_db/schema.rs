//! The tables of derived.db. Nothing in it is worth a migration: a later version drops every table and begins anew.

pub(super) const MIGRATIONS: &[&str] = &[VERSION_1];

/// `place` sorts a list: see [`super::lists::place`]. `is_indexed` says whether the row of `words` with
/// the same id is of the present view; while it is not, there may be none, or one of an earlier view.
/// A view has a table of its own, so that a change of status does not write it again.
const VERSION_1: &str = "
CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id = 0), arrival INTEGER NOT NULL);
INSERT INTO mark VALUES (0, 0);

CREATE TABLE objects (space BLOB NOT NULL, hash BLOB NOT NULL, wire BLOB NOT NULL, PRIMARY KEY (space, hash));
CREATE TABLE heard (device BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE parts (
    generation BLOB NOT NULL, source BLOB NOT NULL, base BLOB NOT NULL, result BLOB NOT NULL,
    content_hash BLOB NOT NULL, PRIMARY KEY (generation, source)
) WITHOUT ROWID;

CREATE TABLE generations (
    id INTEGER PRIMARY KEY, generation BLOB NOT NULL UNIQUE, space BLOB NOT NULL, notebook BLOB NOT NULL,
    is_private INTEGER NOT NULL, note BLOB NOT NULL, parent BLOB, draft_of BLOB, author BLOB NOT NULL,
    encounter BLOB, observed BLOB NOT NULL, recorded_ms INTEGER NOT NULL, place BLOB NOT NULL,
    status INTEGER NOT NULL, is_shown INTEGER NOT NULL, is_late INTEGER NOT NULL, is_indexed INTEGER NOT NULL, title BLOB NOT NULL,
    ever_named BLOB NOT NULL, heads BLOB NOT NULL
);
CREATE INDEX generations_shown ON generations (place) WHERE is_shown = 1;
CREATE INDEX generations_of_notebook ON generations (notebook, place) WHERE is_shown = 1;
CREATE INDEX generations_of_status ON generations (status, place) WHERE is_shown = 1;
CREATE INDEX generations_late ON generations (place) WHERE is_late = 1;
CREATE INDEX generations_of_note ON generations (note);
CREATE INDEX generations_of_encounter ON generations (encounter) WHERE encounter IS NOT NULL;
CREATE INDEX generations_private ON generations (status) WHERE is_private = 1;
CREATE INDEX generations_draft ON generations (status) WHERE draft_of IS NOT NULL;
CREATE INDEX generations_pending ON generations (place) WHERE is_indexed = 0;

CREATE TABLE views (id INTEGER PRIMARY KEY, view BLOB NOT NULL);
CREATE TABLE people (
    id INTEGER NOT NULL, participant BLOB NOT NULL, PRIMARY KEY (id, participant)
) WITHOUT ROWID;
CREATE INDEX people_by_participant ON people (participant, id);

CREATE VIRTUAL TABLE words USING fts5 (terms, tokenize = 'ascii', columnsize = 0);
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
";
