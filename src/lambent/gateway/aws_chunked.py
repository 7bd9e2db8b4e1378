"""The `aws-chunked` framing, taken off a body as it arrives.

    HEX-SIZE[;chunk-signature=SIG]\\r\\n DATA \\r\\n … 0[;chunk-signature=SIG]\\r\\n
    [trailer-name:value\\r\\n …] [x-amz-trailer-signature:SIG\\r\\n] \\r\\n

Source: Amazon S3 API Reference, "Signature calculations: transferring payload in multiple
chunks" and "… including trailing headers". A pure machine: bytes in, bytes out. Signatures
are checked by a `Verifier` when there is one; trailing checksums always.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from lambent.core import checksums
from lambent.core.errors import AwsError

_LINE_LIMIT: Final = 16 * 1024


class Verifier(Protocol):
    """Checks a streaming body's chain of signatures; raises AwsError when one is wrong."""

    def begin(self, signature: str) -> None:
        """A chunk begins, signed so."""
        ...

    def update(self, data: bytes) -> None:
        """Bytes of the chunk."""
        ...

    def end(self) -> None:
        """The chunk is complete."""
        ...

    def trailer(self, lines: bytes, signature: str) -> None:
        """The trailing headers (`name:value\\n` each), signed so."""
        ...


def malformed() -> AwsError:
    """The framing does not hold."""
    return AwsError("IncompleteBody", "The request body terminated unexpectedly", 400)


class ChunkedDecoder:
    """Takes the framing off. `length` is x-amz-decoded-content-length; `announced` the names
    of the trailers in x-amz-trailer (lower case); `verifier` is for signed chunks."""

    def __init__(
        self, length: int | None, announced: frozenset[str], verifier: Verifier | None
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._announced = announced
        self._length = length
        self._verifier = verifier
        self._buffer = bytearray()
        self._left = 0
        self._state = "size"
        self._total = 0
        self._checksums = {
            header: checksums.new(algorithm)
            for header, algorithm in checksums.HEADERS.items()
            if header in announced
        }

    def feed(self, data: bytes) -> list[bytes]:
        """Take encoded bytes; the decoded pieces that they complete."""
        out: list[bytes] = []
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        at, end = 0, len(data)
        while at < end:
            if self._state == "data":
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._take(piece)
                out.append(piece)
                if not self._left:
                    self._state = "data end"
                continue
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                if end - at > _LINE_LIMIT:
                    raise malformed()
                self._buffer += data[at:]
                break
            self._line(data[at:line_end])
            at = line_end + 2
        return out

    def finish(self) -> None:
        """The encoded body ended: whether all that was promised has come and holds."""
        if self._state == "trailers" and not self._buffer:
            self._close()
        if self._state != "done":
            raise malformed()
        if self._length is not None and self._total != self._length:
            raise AwsError(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the "
                "Content-Length HTTP header",
                400,
            )

    def _take(self, piece: bytes) -> None:
        self._total += len(piece)
        if self._length is not None and self._total > self._length:
            raise malformed()
        for checksum in self._checksums.values():
            checksum.update(piece)
        if self._verifier is not None:
            self._verifier.update(piece)

    def _line(self, line: bytes) -> None:
        if self._state == "data end":
            if line:
                raise malformed()
            if self._verifier is not None:
                self._verifier.end()
            self._state = "size"
        elif self._state == "size":
            self._size(line)
        elif self._state == "trailers":
            if line:
                name, colon, value = line.decode("latin-1").partition(":")
                if not colon:
                    raise malformed()
                self.trailers[name.strip().lower()] = value.strip()
            elif not self.trailers and self._announced:
                # The empty line that ends the last chunk, before the trailers.
                return
            else:
                self._close()
        elif line:
            raise malformed()

    def _size(self, line: bytes) -> None:
        size, _, extension = line.partition(b";")
        try:
            self._left = int(size, 16)
        except ValueError:
            raise malformed() from None
        if self._left < 0:
            raise malformed()
        if self._verifier is not None:
            name, _, signature = extension.partition(b"=")
            if name.strip() != b"chunk-signature":
                raise malformed()
            self._verifier.begin(signature.strip().decode("latin-1"))
        if self._left:
            self._state = "data"
        else:
            if self._verifier is not None:
                self._verifier.end()
            self._state = "trailers"

    def _close(self) -> None:
        self._state = "done"
        if not self._announced and not self.trailers:
            return
        signature = self.trailers.pop("x-amz-trailer-signature", "")
        if self._verifier is not None:
            lines = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            self._verifier.trailer(lines.encode("latin-1"), signature)
        if not self._announced <= self.trailers.keys():
            raise AwsError(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not "
                "conform to our published schema.",
                400,
            )
        verify(self.trailers, self._checksums)


def verify(given: Mapping[str, str], computed: Mapping[str, checksums.Checksum]) -> None:
    """Compare checksums by header name; AwsError as S3 gives it when one differs."""
    for header, checksum in computed.items():
        algorithm = checksums.HEADERS[header]
        value = given[header]
        actual = checksums.encoded(checksum)
        if len(value) != len(actual):
            raise AwsError("InvalidRequest", f"Value for {header} trailing header is invalid.", 400)
        if value != actual:
            raise AwsError(
                "BadDigest",
                f"The {algorithm} you specified did not match the calculated checksum.",
                400,
            )
