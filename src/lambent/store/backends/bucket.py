"""Blobs in a bucket of any S3-compatible store, or of another cloud's: a `places.Place`.

`s3://BUCKET/PREFIX?endpoint=URL&region=NAME`, `gs://…`, `az://…`; credentials come from where the
clouds' own tools look for them (AWS_ACCESS_KEY_ID and so on). An object appears whole, when its
upload is finished; parts of uploads that were never finished are the bucket's to expire (a
lifecycle rule with AbortIncompleteMultipartUpload).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from lambent.core.errors import StartupError, StoreUnavailable
from lambent.store.backends.files import BLOCK_BYTES
from lambent.store.backends.places import Upload

SCHEMES: Final = ("s3", "gs", "az")
_PART_BYTES: Final = 8 * 1024 * 1024


def open_bucket(url: str) -> Bucket:
    """The bucket of a URL. StartupError when it cannot be used."""
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise StartupError(
            "Blobs in a bucket need the package obstore: pip install 'lambent[bucket]'."
        ) from error
    parts = urlsplit(url)
    settings: dict[str, Any] = dict(parse_qsl(parts.query))
    options: dict[str, Any] = {}
    if settings.get("endpoint", "").startswith("http://"):
        options["allow_http"] = True
    if parts.scheme == "s3":
        settings.setdefault("region", "us-east-1")
    try:
        make: Any = obstore.store.from_url
        store = make(parts._replace(query="").geturl(), client_options=options, **settings)
        obstore.list(store).collect()
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        shown = parts._replace(query="").geturl()
        raise StartupError(f"The bucket {shown} cannot be used: {reason}.") from error
    return Bucket(store)


class Bucket:
    """See `places.Place`."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def upload(self, name: str) -> Upload:
        return _Upload(self._store, name)

    async def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        import obstore

        try:
            found = await obstore.get_async(self._store, name, options={"range": (start, end)})
            size = 0
            async for block in found.stream(min_chunk_size=BLOCK_BYTES):
                size += len(block)
                yield bytes(block)
        except FileNotFoundError:
            raise KeyError(name) from None
        except Exception as error:
            raise _unavailable("read", error) from error
        if size < end - start:
            raise StoreUnavailable(f"The blob {name} is shorter than it was.")

    async def remove(self, names: list[str]) -> None:
        import obstore

        for name in names:
            try:
                await obstore.delete_async(self._store, name)
            except FileNotFoundError:
                continue
            except Exception as error:
                raise _unavailable("removed", error) from error

    async def older(self, seconds: float, now: float) -> AsyncIterator[list[str]]:
        import obstore

        async for some in obstore.list(self._store):
            old = [
                str(one["path"]).rpartition("/")[2]
                for one in some
                if one["last_modified"].timestamp() < now - seconds
            ]
            if old:
                yield old

    async def close(self) -> None:
        """There is nothing to end: each request has its own end."""


class _Upload:
    def __init__(self, store: Any, name: str) -> None:
        self._store = store
        self._name = name
        self._writer: Any = None

    async def write(self, data: bytearray) -> None:
        import obstore

        try:
            if self._writer is None:
                self._writer = obstore.open_writer_async(
                    self._store, self._name, buffer_size=_PART_BYTES
                )
            await self._writer.write(bytes(data))
        except Exception as error:
            raise _unavailable("stored", error) from error

    async def finish(self) -> None:
        try:
            await self._writer.close()
        except Exception as error:
            raise _unavailable("stored", error) from error

    async def abandon(self) -> None:
        """What was not finished never appears; what was, is removed."""
        import obstore

        self._writer = None
        try:
            await obstore.delete_async(self._store, self._name)
        except Exception:  # an orphan then, which the next sweep finds
            return


def _unavailable(what: str, error: Exception) -> StoreUnavailable:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return StoreUnavailable(f"The blob cannot be {what}: {reason}.")
