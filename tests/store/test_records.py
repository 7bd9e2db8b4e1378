from __future__ import annotations

import pytest

from lambent.core.errors import Conflict
from lambent.store.contract import ABSENT, Store, Transaction

from .calls import call


async def test_a_record_reads_back_as_it_was_put(store: Store) -> None:
    version = await call(store, "put", "c", b"p", b"s", b"value")
    record = await call(store, "get", "c", b"p", b"s")
    assert (record.partition, record.sort, record.value) == (b"p", b"s", b"value")
    assert record.version == version > 0


async def test_a_missing_record_is_none(store: Store) -> None:
    assert await call(store, "get", "c", b"p", b"s") is None


async def test_the_same_key_in_another_collection_is_another_record(store: Store) -> None:
    await call(store, "put", "a", b"p", b"s", b"1")
    await call(store, "put", "b", b"p", b"s", b"2")
    assert (await call(store, "get", "a", b"p", b"s")).value == b"1"


async def test_versions_grow_even_over_a_delete(store: Store) -> None:
    first = await call(store, "put", "c", b"p", b"s", b"1")
    second = await call(store, "put", "c", b"p", b"s", b"1")
    assert await call(store, "delete", "c", b"p", b"s")
    third = await call(store, "put", "c", b"p", b"s", b"1")
    assert first < second < third


async def test_put_expecting_absence_conflicts_with_a_record(store: Store) -> None:
    await call(store, "put", "c", b"p", b"s", b"1", expect=ABSENT)
    with pytest.raises(Conflict):
        await call(store, "put", "c", b"p", b"s", b"2", expect=ABSENT)
    assert (await call(store, "get", "c", b"p", b"s")).value == b"1"


@pytest.mark.parametrize("present", [True, False])
async def test_put_expecting_another_version_conflicts(store: Store, present: bool) -> None:
    if present:
        await call(store, "put", "c", b"p", b"s", b"1")
    with pytest.raises(Conflict):
        await call(store, "put", "c", b"p", b"s", b"2", expect=999_999_999)


async def test_put_expecting_the_present_version_replaces_it(store: Store) -> None:
    version = await call(store, "put", "c", b"p", b"s", b"1")
    await call(store, "put", "c", b"p", b"s", b"2", expect=version)
    assert (await call(store, "get", "c", b"p", b"s")).value == b"2"


async def test_delete_says_whether_there_was_a_record(store: Store) -> None:
    await call(store, "put", "c", b"p", b"s", b"1")
    assert await call(store, "delete", "c", b"p", b"s") is True
    assert await call(store, "delete", "c", b"p", b"s") is False
    assert await call(store, "delete", "never", b"p", b"s") is False


async def test_delete_expecting_another_version_conflicts(store: Store) -> None:
    version = await call(store, "put", "c", b"p", b"s", b"1")
    with pytest.raises(Conflict):
        await call(store, "delete", "c", b"p", b"s", expect=version + 1)
    with pytest.raises(Conflict):
        await call(store, "delete", "c", b"p", b"s", expect=ABSENT)
    with pytest.raises(Conflict):
        await call(store, "delete", "c", b"p", b"other", expect=version)
    assert await call(store, "delete", "c", b"p", b"other", expect=ABSENT) is False
    assert await call(store, "delete", "c", b"p", b"s", expect=version) is True


async def test_a_caught_conflict_leaves_the_rest_of_the_transaction(store: Store) -> None:
    async def body(tx: Transaction) -> None:
        await tx.put("c", b"p", b"1", b"kept")
        with pytest.raises(Conflict):
            await tx.put("c", b"p", b"1", b"refused", expect=ABSENT)
        await tx.put("c", b"p", b"2", b"kept too")

    await store.transact(body)
    records = await call(store, "scan", "c", b"p")
    assert [record.value for record in records] == [b"kept", b"kept too"]


async def test_large_and_empty_values_survive(store: Store) -> None:
    for value in (b"", b"x" * 5_000, bytes(range(256)) * 4_000):
        await call(store, "put", "c", b"p", b"s", value)
        assert (await call(store, "get", "c", b"p", b"s")).value == value


async def test_keys_sort_as_bytes(store: Store) -> None:
    keys = [b"", b"\x00", b"\x00\x00", b"a", b"a\x00", b"ab", b"b", b"\xff", b"\xff\xff"]
    for key in reversed(keys):
        await call(store, "put", "c", b"p", key, b"")
    assert [record.sort for record in await call(store, "scan", "c", b"p")] == keys


async def test_clear_and_count_one_partition_or_all(store: Store) -> None:
    for partition, sort in ((b"a", b"1"), (b"a", b"2"), (b"b", b"1")):
        await call(store, "put", "c", partition, sort, b"")
    await call(store, "put", "other", b"a", b"1", b"")
    assert await call(store, "count", "c") == 3
    assert await call(store, "count", "c", b"a") == 2
    assert await call(store, "clear", "c", b"a") == 2
    assert await call(store, "count", "c") == 1
    assert await call(store, "clear", "c") == 1
    assert await call(store, "count", "c") == 0
    assert await call(store, "count", "other") == 1
