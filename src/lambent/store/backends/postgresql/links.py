"""The links to blobs, one row each; small blobs lie in the row itself."""

from __future__ import annotations

from lambent.store.backends.postgresql.overlay import Effect
from lambent.store.backends.postgresql.part import Part
from lambent.store.contract import StagedBlob


class BlobLinks(Part):
    """The blobs of a transaction."""

    __slots__ = ()

    async def link_blob(self, blob: StagedBlob) -> None:
        state = self._state
        await state.writing()
        state.set(state.blobs, blob.id, (blob.size, blob.inline))
        state.effects.append((Effect.LINKED, blob.id))

    async def unlink_blob(self, id: str) -> None:
        state = self._state
        await state.writing()
        state.set(state.blobs, id, None)
        state.effects.append((Effect.UNLINKED, id))
