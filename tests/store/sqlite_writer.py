"""A process that writes to a store and tells on stdout what was acknowledged.

`python sqlite_writer.py FOLDER FIRST`: numbers from FIRST on are each written to all four
primitives in one transaction ("w N"), and each is claimed and done in another ("d N").
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from lambent.core.clock import SystemClock
from lambent.core.ids import SystemIds
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import NewWork, Transaction

BLOB = b"blob" * 10_000


async def bytes_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def main(folder: Path, first: int) -> None:
    store = await open_sqlite(folder, SystemClock(), SystemIds())
    numbers = itertools.count(first)

    async def write() -> None:
        while True:
            number = b"%d" % next(numbers)
            large = int(number) % 10 == 0
            staged = await store.blobs.stage(bytes_of(BLOB if large else number))

            async def body(tx: Transaction) -> None:
                await tx.put("written", number, b"", staged.id.encode())  # noqa: B023
                await tx.enqueue("todo", [NewWork(number, group=f"g{int(number) % 7}")])  # noqa: B023
                await tx.append("log", [number])  # noqa: B023
                await tx.link_blob(staged)  # noqa: B023

            await store.transact(body)
            os.write(1, b"w %s\n" % number)

    async def work() -> None:
        while True:
            arrived = store.work_arrived("todo")

            async def body(tx: Transaction) -> list[bytes]:
                done = []
                for item in await tx.claim("todo", 3, 0.05, ordered=True):
                    if item.id % 3:
                        await tx.settle("todo", item.id, item.token)
                        await tx.put("done", item.payload, b"", b"")
                        done.append(item.payload)
                return done

            done = await store.transact(body)
            for number in done:
                os.write(1, b"d %s\n" % number)
            if not done:
                await arrived.wait()

    await asyncio.gather(*(write() for _ in range(8)), *(work() for _ in range(2)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
