"""What is stored of exports.

| collection | partition, sort | value |
| --- | --- | --- |
| `dynamodb.exports` | account/region, the export's id | the export |
| `dynamodb.export/ID` | as the table's items | its items, until they are written to S3 |

    IN_PROGRESS ─ all is written ─▶ COMPLETED
                └ S3 refuses ─────▶ FAILED
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.services.dynamodb.model import Table, scope
from lambent.store.contract import Record, Transaction

EXPORTS: Final = "dynamodb.exports"


class Export(msgspec.Struct, frozen=True, omit_defaults=True):
    """An export of `table` as it was at `time`; `after` is that place in its history.

    `request` is what was asked. Times are in seconds since the epoch; `ended` is 0 while it is
    in progress, and `failure` is the error's code once it has failed.
    """

    id: str
    table: Table
    time: float
    after: int
    request: dict[str, Any]
    started: float
    ended: float = 0.0
    failure: str = ""
    message: str = ""
    manifest: str = ""
    count: int = 0
    bytes: int = 0

    @property
    def arn(self) -> str:
        """The export's ARN."""
        return f"{self.table.arn}/export/{self.id}"

    @property
    def items(self) -> str:
        """The collection of the items as they were."""
        return f"dynamodb.export/{self.id}"

    @property
    def folder(self) -> str:
        """Where in the bucket it is written."""
        prefix = str(self.request.get("S3Prefix") or "").strip("/")
        return f"{prefix}/AWSDynamoDB/{self.id}" if prefix else f"AWSDynamoDB/{self.id}"

    @property
    def status(self) -> str:
        """ExportStatus."""
        if not self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.failure else "COMPLETED"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Export)


def decode_export(record: Record) -> Export:
    """The export in a record of `EXPORTS`."""
    return _decoder.decode(record.value)


async def save_export(tx: Transaction, export: Export) -> None:
    """Write an export."""
    where = scope(export.table.account, export.table.region)
    await tx.put(EXPORTS, where, export.id.encode(), _encoder.encode(export))
