"""The body of a form upload: its fields, then the file, which is streamed.

Source: RFC 7578, and "POST Object" of the Amazon S3 API Reference: fields after the file
are passed over, and all before it together have at most 20 KB.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

from lambent.core.errors import AwsError
from lambent.core.streams import Body
from lambent.services.s3.errors import invalid_argument

_FIELDS_LIMIT: Final = 20 * 1024
_HEAD_LIMIT: Final = 8 * 1024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition:\s*form-data\s*;([^\r\n]*)", re.IGNORECASE)
_NAME = re.compile(rb'(?:^|[;\s])name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'(?:^|[;\s])filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TYPE = re.compile(rb"content-type:\s*([^\r\n]+)", re.IGNORECASE)


def malformed() -> AwsError:
    """MalformedPOSTRequest."""
    return AwsError(
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
        400,
    )


def form_boundary(content_type: str) -> bytes:
    """The boundary of a multipart/form-data request."""
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or match is None:
        raise AwsError(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            412,
            {"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
        )
    return (match[1] or match[2]).encode("latin-1")


class Form:
    """A form whose fields were read; iterate it (a `core.streams.Body`) for the file's bytes.

    `fields` have their names in lower case. The length of the file is not known beforehand.
    """

    length: int | None = None

    def __init__(self, body: Body, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.file_type: str | None = None
        self.trailers: Mapping[str, str] = {}
        self._chunks = aiter(body)
        self._end = b"\r\n--" + boundary
        self._buffer = b"\r\n"

    async def _more(self) -> None:
        chunk = await anext(self._chunks, None)
        if chunk is None:
            raise malformed()
        self._buffer += chunk

    async def _until(self, mark: bytes, limit: int) -> bytes:
        # What stands before `mark`, which is taken off too.
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise malformed()
            await self._more()
        found, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return found

    async def read_fields(self) -> None:
        """Read up to the file's first byte.

        MalformedPOSTRequest; InvalidArgument when there is no file; MaxPostPreDataLengthExceeded
        past the limit of what may precede the file.
        """
        await self._until(self._end, _HEAD_LIMIT)
        total = 0
        while True:
            while len(self._buffer) < 2:
                await self._more()
            if self._buffer.startswith(b"--"):
                raise invalid_argument(
                    "POST requires exactly one file upload per request.", "file", "0"
                )
            head = await self._until(b"\r\n\r\n", _HEAD_LIMIT)
            disposition = _DISPOSITION.search(head)
            name = _NAME.search(disposition[1]) if disposition else None
            if disposition is None or name is None:
                raise malformed()
            field = name[1].decode("utf-8", "replace").lower()
            if field == "file":
                self._begin_file(head, disposition[1])
                return
            value = await self._until(self._end, _FIELDS_LIMIT)
            total += len(value)
            if total > _FIELDS_LIMIT:
                raise AwsError(
                    "MaxPostPreDataLengthExceeded",
                    "Your POST request fields preceding the upload file were too large.",
                    400,
                )
            self.fields[field] = value.decode("utf-8", "replace")

    def _begin_file(self, head: bytes, disposition: bytes) -> None:
        filename = _FILENAME.search(disposition)
        if filename is not None:
            text = filename[1].decode("utf-8", "replace").replace("\\", "/")
            self.filename = text.rpartition("/")[2]
        content_type = _TYPE.search(head)
        if content_type is not None:
            self.file_type = content_type[1].decode("latin-1").strip()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._file()

    async def _file(self) -> AsyncIterator[bytes]:
        keep = len(self._end) - 1
        while (at := self._buffer.find(self._end)) < 0:
            if len(self._buffer) > keep:
                ready = len(self._buffer) - keep
                chunk, self._buffer = self._buffer[:ready], self._buffer[ready:]
                yield chunk
            await self._more()
        if at:
            yield self._buffer[:at]
        # What follows the file is read to its end, so that the connection stays in step.
        async for _ in self._chunks:
            pass

    async def read(self, limit: int | None = None) -> bytes:
        return b"".join([chunk async for chunk in self._file()])
