"""The tables, and the numbered steps that bring an older schema up to date.

Each step says the oldest schema a program must know to work beside it, so that during a
rolling upgrade the previous version goes on, or is told that it cannot. A step, once released,
is never edited. Why the tables look as they do is told, with numbers, in
`docs/decisions/0010-postgresql.md`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lambent.core.errors import StartupError
from lambent.store.backends.postgresql.connecting import Connection

MIGRATION_SECONDS: Final = 1800
"""How long a step may take, and how long a node waits for another that takes it."""
APPLICATION: Final = "Lambent store"
"""The schema's comment, which marks it as ours."""


class Step(NamedTuple):
    """`minimum` is the number of steps that a program must know to use the result."""

    minimum: int
    sql: str


STEPS: Final = (
    Step(
        1,
        """
        CREATE TABLE store (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            version integer NOT NULL,
            minimum integer NOT NULL,
            next bigint NOT NULL,
            last double precision NOT NULL
        ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
        INSERT INTO store (version, minimum, next, last) VALUES (0, 0, 1, 0);

        CREATE TABLE name (name text COLLATE "C" PRIMARY KEY, number bigint NOT NULL);

        CREATE TABLE record (
            collection bigint NOT NULL,
            partition bytea NOT NULL,
            sort bytea NOT NULL,
            version bigint NOT NULL,
            long_partition bytea,
            long_sort bytea,
            value bytea NOT NULL,
            PRIMARY KEY (collection, partition, sort)
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
        ALTER TABLE record ALTER value SET STORAGE EXTERNAL;

        CREATE TABLE work (
            queue bigint NOT NULL,
            id bigint NOT NULL,
            due double precision NOT NULL,
            created double precision NOT NULL,
            first_claimed double precision,
            token bigint NOT NULL,
            attempts integer NOT NULL,
            leased boolean NOT NULL,
            grp text COLLATE "C",
            tenant text COLLATE "C",
            payload bytea NOT NULL,
            PRIMARY KEY (queue, id)
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
        ALTER TABLE work ALTER payload SET STORAGE EXTERNAL;
        CREATE INDEX work_due ON work (queue, due, id);
        CREATE INDEX work_created ON work (queue, created);
        CREATE INDEX work_group ON work (queue, grp, id) WHERE grp IS NOT NULL;
        CREATE INDEX work_tenant_due ON work (queue, tenant, due, id) WHERE tenant IS NOT NULL;
        CREATE INDEX work_tenant_lease ON work (queue, tenant, due)
            WHERE leased AND tenant IS NOT NULL;

        CREATE TABLE work_head (
            queue bigint NOT NULL,
            grp text COLLATE "C" NOT NULL,
            id bigint NOT NULL,
            until double precision NOT NULL,
            PRIMARY KEY (queue, grp)
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
        CREATE INDEX work_head_until ON work_head (queue, until, id);

        CREATE TABLE work_tenant (
            queue bigint NOT NULL,
            tenant text COLLATE "C" NOT NULL,
            turn bigint NOT NULL,
            PRIMARY KEY (queue, tenant)
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

        CREATE TABLE work_depth (
            queue bigint PRIMARY KEY,
            total bigint NOT NULL,
            loose bigint NOT NULL,
            tenanted bigint NOT NULL,
            waiting bigint NOT NULL,
            leased bigint NOT NULL,
            mark double precision NOT NULL
        ) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.02);

        CREATE TABLE log (
            log bigint NOT NULL,
            position bigint NOT NULL,
            time double precision NOT NULL,
            value bytea NOT NULL,
            PRIMARY KEY (log, position)
        );
        ALTER TABLE log ALTER value SET STORAGE EXTERNAL;
        CREATE INDEX log_time ON log (log, time, position);

        CREATE TABLE blob (id text COLLATE "C" PRIMARY KEY, size bigint NOT NULL, bytes bytea);
        ALTER TABLE blob ALTER bytes SET STORAGE EXTERNAL;
        """,
    ),
    # Who does not know of stamps changes records without them.
    Step(
        2,
        """
        ALTER TABLE store ADD stamps bigint[] NOT NULL DEFAULT array_fill(0::bigint, ARRAY[64]);
        """,
    ),
    # Who does not know of them claims and settles without keeping tenants' lines.
    Step(
        3,
        """
        CREATE TABLE work_fair (queue bigint PRIMARY KEY, mark double precision NOT NULL)
            WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.02);
        ALTER TABLE work_tenant ADD held bigint NOT NULL DEFAULT 0,
            ADD until double precision NOT NULL DEFAULT 'Infinity';
        INSERT INTO work_tenant (queue, tenant, turn, held, until)
            SELECT queue, tenant, min(id), count(*) FILTER (WHERE leased AND due > last),
                CASE WHEN min(due) > last THEN min(due) ELSE 0 END
            FROM work CROSS JOIN store WHERE tenant IS NOT NULL GROUP BY queue, tenant, last
            ON CONFLICT (queue, tenant) DO UPDATE
            SET held = excluded.held, until = excluded.until;
        INSERT INTO work_fair SELECT DISTINCT queue, last FROM work_tenant CROSS JOIN store;
        CREATE INDEX work_tenant_turn ON work_tenant (queue, held, turn) WHERE until = 0;
        CREATE INDEX work_tenant_until ON work_tenant (queue, until) WHERE until > 0;
        DROP INDEX work_tenant_lease;
        """,
    ),
)
SCHEMA: Final = len(STEPS)


async def migrate(connection: Connection, schema: str, steps: tuple[Step, ...] = STEPS) -> None:
    """Make the schema, or run the steps that it has not had, in one transaction under a lock.

    StartupError when it is another program's or was made by a newer Lambent that this one
    cannot work beside. The connection's search path is the schema.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{MIGRATION_SECONDS}s'")
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            schema,
            timeout=MIGRATION_SECONDS,
        )
        comment = await connection.fetchval(
            "SELECT coalesce(obj_description(oid, 'pg_namespace'), '')"
            " FROM pg_namespace WHERE nspname = $1",
            schema,
        )
        if comment is None:
            await connection.execute(f'CREATE SCHEMA "{schema}"')
            await connection.execute(f"COMMENT ON SCHEMA \"{schema}\" IS '{APPLICATION}'")
        elif comment != APPLICATION:
            raise StartupError(
                f"The schema {schema} in the database is not Lambent's: give another by "
                "?schema=NAME in the store's URL."
            )
        present = None
        if comment is not None:
            present = await connection.fetchrow(f'SELECT version, minimum FROM "{schema}".store')
        version, minimum = present or (0, 0)
        if minimum > len(steps):
            raise StartupError(
                f"The schema {schema} in the database was made by a newer version of Lambent "
                f"(its schema is {version}; this version knows {len(steps)})."
            )
        if present is not None:
            await _check_rights(connection, schema)
        if present is not None and version < len(steps):
            # Every transaction of a node begins with this table: from here on none holds another
            # table that a step waits for, while it waits for one that a step has changed.
            await connection.execute(
                f'LOCK TABLE "{schema}".store IN ACCESS EXCLUSIVE MODE', timeout=MIGRATION_SECONDS
            )
        for step in steps[version:]:
            await connection.execute(step.sql, timeout=MIGRATION_SECONDS)
        if version < len(steps):
            await connection.execute(
                "UPDATE store SET version = $1, minimum = greatest(minimum, $2)",
                len(steps),
                max(step.minimum for step in steps[version:]),
            )


async def _check_rights(connection: Connection, schema: str) -> None:
    """StartupError when a table may not be read or changed."""
    kinds = ("SELECT", "INSERT", "UPDATE", "DELETE")
    allowed = " AND ".join(f"has_table_privilege(oid, '{kind}')" for kind in kinds)
    table = await connection.fetchval(
        "SELECT min(relname::text) FROM pg_class WHERE relnamespace = $1::text::regnamespace"
        f" AND relkind = 'r' AND NOT ({allowed})",
        schema,
    )
    if table is not None:
        raise StartupError(
            f"The database's user lacks a right that Lambent needs: {', '.join(kinds)} on the "
            f"table {table} of the schema {schema}."
        )
