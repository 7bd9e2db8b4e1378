"""The tables, and the numbered steps that bring an older data folder up to date.

`PRAGMA user_version` holds how many steps a database has had. A step, once released, is
never edited: a change is a new step. Why the tables look as they do is told, with numbers,
in `docs/decisions/0002-store-layout.md`.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from lambent.core.errors import StartupError

APPLICATION_ID = 0x4C414D42
"""Marks a SQLite file as a Lambent store ("LAMB")."""

STEPS = (
    """
    CREATE TABLE name (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

    CREATE TABLE sequence (reserved INTEGER NOT NULL);
    INSERT INTO sequence VALUES (1);

    CREATE TABLE record (
        collection INTEGER NOT NULL,
        partition BLOB NOT NULL,
        sort BLOB NOT NULL,
        version INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    CREATE UNIQUE INDEX record_key ON record (collection, partition, sort);

    CREATE TABLE work (
        queue INTEGER NOT NULL,
        id INTEGER NOT NULL,
        due REAL NOT NULL,
        leased INTEGER NOT NULL,
        created REAL NOT NULL,
        token INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        first_claimed REAL,
        grp TEXT,
        PRIMARY KEY (queue, id)
    ) WITHOUT ROWID;
    CREATE INDEX work_due ON work (queue, due, id, leased);
    CREATE INDEX work_created ON work (queue, created);
    CREATE INDEX work_group ON work (queue, grp, id) WHERE grp IS NOT NULL;
    CREATE TABLE work_payload (id INTEGER PRIMARY KEY, payload BLOB NOT NULL);

    CREATE TABLE work_head (
        queue INTEGER NOT NULL,
        grp TEXT NOT NULL,
        id INTEGER NOT NULL,
        until REAL NOT NULL,
        PRIMARY KEY (queue, grp)
    ) WITHOUT ROWID;
    CREATE INDEX work_head_until ON work_head (queue, until, id);

    CREATE TABLE work_depth (
        queue INTEGER PRIMARY KEY,
        total INTEGER NOT NULL,
        loose INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        leased INTEGER NOT NULL,
        mark REAL NOT NULL
    );

    CREATE TABLE log (
        position INTEGER PRIMARY KEY,
        log INTEGER NOT NULL,
        time REAL NOT NULL,
        value BLOB NOT NULL
    );
    CREATE INDEX log_position ON log (log, position);

    CREATE TABLE blob (
        id TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        bytes BLOB
    );
    """,
    """
    ALTER TABLE work ADD COLUMN tenant TEXT;
    CREATE INDEX work_tenant_due ON work (queue, tenant, due, id) WHERE tenant IS NOT NULL;
    CREATE INDEX work_tenant_lease ON work (queue, due) WHERE leased AND tenant IS NOT NULL;

    CREATE TABLE work_tenant (
        queue INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        until REAL NOT NULL,
        leased INTEGER NOT NULL,
        turn INTEGER NOT NULL,
        PRIMARY KEY (queue, tenant)
    ) WITHOUT ROWID;
    CREATE INDEX work_tenant_turn ON work_tenant (queue, until, leased, turn);

    ALTER TABLE work_depth ADD COLUMN tenanted INTEGER NOT NULL DEFAULT 0;
    """,
    """
    DROP INDEX work_created;
    ALTER TABLE work ADD COLUMN dated INTEGER NOT NULL DEFAULT 0;
    UPDATE work SET dated = 1;
    CREATE INDEX work_created ON work (queue, created) WHERE dated;

    ALTER TABLE work_depth ADD COLUMN dated INTEGER NOT NULL DEFAULT 0;
    UPDATE work_depth SET dated = total;
    """,
)


def migrate(db: apsw.Connection, folder: Path | None, steps: tuple[str, ...] = STEPS) -> None:
    """Run the steps that `db` has not had, in one transaction.

    StartupError when the database is not Lambent's or was made by a newer version.
    """
    version = int(db.pragma("user_version"))
    application = int(db.pragma("application_id"))
    used = db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    if used and application != APPLICATION_ID:
        raise StartupError(f"The data folder {folder} holds another program's database.")
    if version > len(steps):
        raise StartupError(
            f"The data folder {folder} was made by a newer version of Lambent "
            f"(its schema is {version}; this version knows {len(steps)})."
        )
    if version == len(steps):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[version:]:
            db.execute(step)
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", len(steps))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
