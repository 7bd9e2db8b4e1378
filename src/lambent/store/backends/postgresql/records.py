"""Records: one table in key order, read through the changes of the open transaction."""

from __future__ import annotations

from lambent.store.backends.conflicts import conflict
from lambent.store.backends.postgresql.part import Part
from lambent.store.contract import ABSENT, Record

Key = tuple[bytes, bytes]
Row = tuple[int, bytes]
"""Version and value."""


class Records(Part):
    """The records of a transaction."""

    __slots__ = ()

    async def get(self, collection: str, partition: bytes, sort: bytes = b"") -> Record | None:
        number = await self._state.find(collection)
        if number is None:
            return None
        row = await self._row(number, partition, sort)
        return None if row is None else Record(partition, sort, row[1], row[0])

    async def put(
        self,
        collection: str,
        partition: bytes,
        sort: bytes,
        value: bytes,
        *,
        expect: int | None = None,
    ) -> int:
        state = self._state
        await state.writing()
        number = await state.numbered(collection)
        if expect is not None:
            row = await self._row(number, partition, sort)
            if expect != (ABSENT if row is None else row[0]):
                raise conflict(expect)
        version = state.take(1)
        rows = state.records.setdefault(number, {})
        state.set(rows, (partition, sort), (version, value))
        return version

    async def delete(
        self, collection: str, partition: bytes, sort: bytes = b"", *, expect: int | None = None
    ) -> bool:
        state = self._state
        number = await state.find(collection)
        row = None if number is None else await self._row(number, partition, sort)
        if expect is not None and expect != (ABSENT if row is None else row[0]):
            raise conflict(expect)
        if row is None:
            return False
        await state.writing()
        assert number is not None
        state.set(state.records.setdefault(number, {}), (partition, sort), None)
        return True

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
        state = self._state
        number = await state.find(collection)
        if number is None:
            return []
        changed = {
            key: row
            for key, row in state.records.get(number, {}).items()
            if key[0] == partition and key[1] >= start and (end is None or key[1] < end)
        }
        wanted = None if limit is None else limit + _rounded(len(changed))
        question = ("scan", reverse, end is not None, number, partition, start, end, wanted)
        found = await state.ask(question)
        return _merged(found, changed, reverse, limit)

    async def scan_all(
        self,
        collection: str,
        *,
        after: tuple[bytes, bytes] | None = None,
        until: bytes | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        state = self._state
        number = await state.find(collection)
        if number is None:
            return []
        changed = {
            key: row
            for key, row in state.records.get(number, {}).items()
            if (after is None or key > after) and (until is None or key[0] < until)
        }
        wanted = None if limit is None else limit + _rounded(len(changed))
        found = await state.ask(("scan_all", number, after, until, wanted))
        return _merged(found, changed, False, limit)

    async def clear(
        self, collection: str, partition: bytes | None = None, *, limit: int | None = None
    ) -> int:
        state = self._state
        await state.writing()
        number = await state.find(collection)
        if number is None:
            return 0
        await state.clean(state.records, number)
        if not await state.ask(("any", number, partition)):
            return 0
        await state.writing_alone()
        await state.clean(state.records, number)
        count: int = await state.ask(("clear", number, partition, limit))
        return count

    async def count(self, collection: str, partition: bytes | None = None) -> int:
        state = self._state
        number = await state.find(collection)
        if number is None:
            return 0
        await state.clean(state.records, number)
        count: int = await state.ask(("count", number, partition))
        return count

    async def _row(self, number: int, partition: bytes, sort: bytes) -> Row | None:
        state = self._state
        changed = state.records.get(number)
        if changed is not None:
            key = (partition, sort)
            if key in changed:
                return changed[key]
        row: Row | None = await state.ask(("get", number, partition, sort))
        return row


def _merged(
    found: list[Record], changed: dict[Key, Row | None], reverse: bool, limit: int | None
) -> list[Record]:
    """The database's records, of which there are enough, with the changes upon them."""
    if not changed:
        return found if limit is None else found[:limit]
    rows = [record for record in found if (record.partition, record.sort) not in changed]
    rows += [Record(*key, row[1], row[0]) for key, row in changed.items() if row is not None]
    rows.sort(key=lambda record: (record.partition, record.sort), reverse=reverse)
    return rows if limit is None else rows[:limit]


def _rounded(count: int) -> int:
    """A few sizes only, so that bodies ask the same question."""
    return 1 << count.bit_length() if count else 0
