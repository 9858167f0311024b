-- Frozen: a later schema comes as the next file. Every key begins with the team, so that tables can be spread by it.

CREATE TABLE server (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    incarnation BLOB NOT NULL,
    key BLOB NOT NULL
) STRICT;

CREATE TABLE gov (
    team BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (team, seq)
) STRICT;

-- The newest prekey statement of each device.
CREATE TABLE statements (
    team BLOB NOT NULL,
    device BLOB NOT NULL,
    serial INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (team, device),
    UNIQUE (team, serial)
) STRICT;

CREATE TABLE seals (
    team BLOB NOT NULL,
    device BLOB NOT NULL,
    serial INTEGER NOT NULL,
    sealer BLOB NOT NULL,
    counter INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (team, device, serial),
    UNIQUE (team, serial)
) STRICT;

-- Where a space stands: its chain of batches, and its vault under the newest epoch.
CREATE TABLE spaces (
    team BLOB NOT NULL,
    space BLOB NOT NULL,
    pos INTEGER NOT NULL,
    root BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    vault INTEGER NOT NULL,
    PRIMARY KEY (team, space)
) STRICT, WITHOUT ROWID;

-- The rows of the vaults; `first` counts the keys before the row.
CREATE TABLE packs (
    team BLOB NOT NULL,
    space BLOB NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (team, space, first)
) STRICT;

-- Which row of its vault holds a key.
CREATE TABLE vault_keys (
    team BLOB NOT NULL,
    space BLOB NOT NULL,
    id BLOB NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (team, space, id)
) STRICT, WITHOUT ROWID;

-- `size` is what the batch took when it came; `dead` are the indices of its receipt.
CREATE TABLE batches (
    team BLOB NOT NULL,
    space BLOB NOT NULL,
    pos INTEGER NOT NULL,
    root BLOB NOT NULL,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    size INTEGER NOT NULL,
    count INTEGER NOT NULL,
    dead BLOB NOT NULL,
    signature BLOB NOT NULL,
    head BLOB NOT NULL,
    items BLOB NOT NULL,
    UNIQUE (team, space, pos),
    UNIQUE (team, space, device, seq)
) STRICT;

-- Apart from the batches, so that a shred drops bodies and leaves the chain. What is dropped has no row.
CREATE TABLE bodies (
    team BLOB NOT NULL,
    space BLOB NOT NULL,
    pos INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    doc_tag BLOB NOT NULL,
    covered INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (team, space, pos, idx)
) STRICT;

CREATE INDEX bodies_by_tag ON bodies (team, doc_tag);
