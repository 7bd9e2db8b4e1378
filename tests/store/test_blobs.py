from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lambent.store.contract import StagedBlob, Store, Transaction

from .backends import BACKENDS, BUCKET, Backend
from .calls import call, chunks, whole
from .conftest import chosen


@pytest.fixture(params=[*BACKENDS, BUCKET], ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return chosen(request)


SIZES = [0, 1, 1000, 32 * 1024, 32 * 1024 + 1, 300_000, 2_500_000]


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


async def link(store: Store, data: bytes) -> StagedBlob:
    staged = await store.blobs.stage(chunks(data))
    await call(store, "link_blob", staged)
    return staged


@pytest.mark.parametrize("size", SIZES)
async def test_bytes_read_back_as_they_were_staged(store: Store, size: int) -> None:
    data = pattern(size)
    staged = await store.blobs.stage(chunks(data[: size // 3], b"", data[size // 3 :]))
    assert staged.size == size
    await call(store, "link_blob", staged)
    assert await whole(store, staged.id) == data


@pytest.mark.parametrize("size", [1000, 2_500_000])
async def test_ranges(store: Store, size: int) -> None:
    data = pattern(size)
    blob = await link(store, data)
    assert await whole(store, blob.id, 7) == data[7:]
    assert await whole(store, blob.id, 7, 100) == data[7:107]
    assert await whole(store, blob.id, size - 5, 100) == data[-5:]
    assert await whole(store, blob.id, size) == b""
    assert await whole(store, blob.id, 3, 0) == b""


async def test_pieces_are_at_most_256_kib(store: Store) -> None:
    blob = await link(store, pattern(2_500_000))
    assert max([len(piece) async for piece in store.blobs.read(blob.id)]) <= 256 * 1024


async def test_an_unknown_blob_is_a_key_error(store: Store) -> None:
    with pytest.raises(KeyError):
        await whole(store, "nothing")


@pytest.mark.parametrize("size", [10, 100_000])
async def test_a_blob_is_there_only_while_linked(store: Store, size: int) -> None:
    staged = await store.blobs.stage(chunks(pattern(size)))
    with pytest.raises(KeyError):
        await whole(store, staged.id)
    await call(store, "link_blob", staged)
    assert len(await whole(store, staged.id)) == size
    await call(store, "unlink_blob", staged.id)
    with pytest.raises(KeyError):
        await whole(store, staged.id)
    await call(store, "unlink_blob", staged.id)


@pytest.mark.parametrize("size", [10, 2_500_000])
async def test_a_blob_unlinked_while_read_is_read_to_its_end(store: Store, size: int) -> None:
    data = pattern(size)
    blob = await link(store, data)
    reading = store.blobs.read(blob.id)
    got = await anext(reading)
    await call(store, "unlink_blob", blob.id)
    async for piece in reading:
        got += piece
    assert got == data


@pytest.mark.parametrize("size", [10, 2_500_000])
async def test_an_error_from_the_source_is_passed_on(store: Store, size: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield pattern(size)
        raise LookupError("the client went away")

    with pytest.raises(LookupError, match="went away"):
        await store.blobs.stage(broken())


async def test_a_rolled_back_unlink_keeps_the_blob(store: Store) -> None:
    blob = await link(store, pattern(100_000))

    async def body(tx: Transaction) -> None:
        await tx.unlink_blob(blob.id)
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(body)
    assert len(await whole(store, blob.id)) == 100_000


async def test_a_blob_can_be_linked_after_a_failed_attempt(store: Store) -> None:
    staged = await store.blobs.stage(chunks(pattern(100_000)))

    async def body(tx: Transaction) -> None:
        await tx.link_blob(staged)
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(body)
    await call(store, "link_blob", staged)
    assert len(await whole(store, staged.id)) == 100_000
