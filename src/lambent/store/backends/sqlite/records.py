"""Records: one table, and an index of collection, partition and sort key.

A version comes from the store's sequence, so it grows with every put of a key even when the
record was deleted in between, and a put need not read what it replaces.
"""

from __future__ import annotations

from lambent.store.backends.conflicts import conflict
from lambent.store.backends.sqlite.part import Part
from lambent.store.contract import ABSENT, Record


class Records(Part):
    """The records of a transaction."""

    __slots__ = ()

    async def get(self, collection: str, partition: bytes, sort: bytes = b"") -> Record | None:
        engine = self._engine
        known = engine.recall(collection, partition, sort)
        if known is not None:
            return known
        rows = engine.execute(
            "SELECT value, version FROM record WHERE collection = ? AND partition = ? AND sort = ?",
            (engine.names.find(collection), partition, sort),
        ).fetchall()
        if not rows:
            return None
        record = Record(partition, sort, *rows[0])
        engine.remember(collection, record)
        return record

    async def put(
        self,
        collection: str,
        partition: bytes,
        sort: bytes,
        value: bytes,
        *,
        expect: int | None = None,
    ) -> int:
        engine = self._engine
        engine.writing()
        engine.forget(collection, partition, sort)
        version = engine.sequence.take(1)
        number = engine.names.number(collection)
        if expect is None:
            engine.execute(
                "INSERT INTO record (collection, partition, sort, version, value)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (collection, partition, sort)"
                " DO UPDATE SET version = excluded.version, value = excluded.value",
                (number, partition, sort, version, value),
            )
            return version
        if expect == ABSENT:
            engine.execute(
                "INSERT INTO record (collection, partition, sort, version, value)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (number, partition, sort, version, value),
            )
        else:
            engine.execute(
                "UPDATE record SET version = ?, value = ?"
                " WHERE collection = ? AND partition = ? AND sort = ? AND version = ?",
                (version, value, number, partition, sort, expect),
            )
        if not engine.db.changes():
            raise conflict(expect)
        return version

    async def delete(
        self, collection: str, partition: bytes, sort: bytes = b"", *, expect: int | None = None
    ) -> bool:
        engine = self._engine
        if expect is not None:
            present = await self.get(collection, partition, sort)
            if expect != (present.version if present else ABSENT):
                raise conflict(expect)
            if present is None:
                return False
        engine.writing()
        engine.forget(collection, partition, sort)
        engine.execute(
            "DELETE FROM record WHERE collection = ? AND partition = ? AND sort = ?",
            (engine.names.find(collection), partition, sort),
        )
        return engine.db.changes() > 0

    async def scan(
        self,
        collection: str,
        partition: bytes,
        *,
        start: bytes = b"",
        end: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[Record]:
        bindings: list[object] = [self._engine.names.find(collection), partition, start]
        until = ""
        if end is not None:
            until = " AND sort < ?"
            bindings.append(end)
        bindings.append(-1 if limit is None else limit)
        rows = self._engine.execute(
            "SELECT partition, sort, value, version FROM record"
            f" WHERE collection = ? AND partition = ? AND sort >= ?{until}"
            f" ORDER BY sort {'DESC' if reverse else 'ASC'} LIMIT ?",
            bindings,
        ).fetchall()
        return [Record(*row) for row in rows]

    async def scan_all(
        self,
        collection: str,
        *,
        after: tuple[bytes, bytes] | None = None,
        until: bytes | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        bindings: list[object] = [self._engine.names.find(collection)]
        bounds = ""
        if after is not None:
            bounds += " AND (partition, sort) > (?, ?)"
            bindings += after
        if until is not None:
            bounds += " AND partition < ?"
            bindings.append(until)
        bindings.append(-1 if limit is None else limit)
        rows = self._engine.execute(
            f"SELECT partition, sort, value, version FROM record WHERE collection = ?{bounds}"
            " ORDER BY partition, sort LIMIT ?",
            bindings,
        ).fetchall()
        return [Record(*row) for row in rows]

    async def clear(
        self, collection: str, partition: bytes | None = None, *, limit: int | None = None
    ) -> int:
        engine = self._engine
        engine.writing()
        where, bindings = self._within(collection, partition)
        if limit is None:
            engine.forget_all()
            engine.execute(f"DELETE FROM record WHERE {where}", bindings)
            return engine.db.changes()
        gone = engine.execute(
            "DELETE FROM record WHERE rowid IN ("
            f"SELECT rowid FROM record WHERE {where} ORDER BY partition, sort LIMIT ?)"
            " RETURNING partition, sort",
            (*bindings, limit),
        ).fetchall()
        for key in gone:
            engine.forget(collection, *key)
        return len(gone)

    async def count(self, collection: str, partition: bytes | None = None) -> int:
        where, bindings = self._within(collection, partition)
        rows = self._engine.execute(f"SELECT count(*) FROM record WHERE {where}", bindings)
        count: int = rows.fetchall()[0][0]
        return count

    def _within(self, collection: str, partition: bytes | None) -> tuple[str, tuple[object, ...]]:
        number = self._engine.names.find(collection)
        if partition is None:
            return "collection = ?", (number,)
        return "collection = ? AND partition = ?", (number, partition)
