"""What is stored of imports.

| collection | partition, sort | value |
| --- | --- | --- |
| `dynamodb.imports` | account/region, the import's id | the import |

    IN_PROGRESS ─ all is read ──▶ COMPLETED
                └ S3 refuses ───▶ FAILED
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.core.arns import Arn
from lambent.services.dynamodb.model import scope
from lambent.store.contract import Record, Transaction

IMPORTS: Final = "dynamodb.imports"


class Import(msgspec.Struct, frozen=True, omit_defaults=True):
    """An import into the table `table` of the id `table_id`; `request` is what was asked.

    Times are in seconds since the epoch; `ended` is 0 while it is in progress, and `failure` is
    the error's code once it has failed. `processed` objects' items were read, `imported` of
    them are in the table, and `errors` could not be.
    """

    id: str
    account: str
    region: str
    table: str
    table_id: str
    request: dict[str, Any]
    started: float
    ended: float = 0.0
    failure: str = ""
    message: str = ""
    processed: int = 0
    imported: int = 0
    errors: int = 0
    bytes: int = 0

    @property
    def table_arn(self) -> str:
        """The table's ARN."""
        return str(Arn("dynamodb", self.region, self.account, f"table/{self.table}"))

    @property
    def arn(self) -> str:
        """The import's ARN."""
        return f"{self.table_arn}/import/{self.id}"

    @property
    def status(self) -> str:
        """ImportStatus."""
        if not self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.failure else "COMPLETED"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Import)


def decode_import(record: Record) -> Import:
    """The import in a record of `IMPORTS`."""
    return _decoder.decode(record.value)


async def save_import(tx: Transaction, job: Import) -> None:
    """Write an import."""
    await tx.put(IMPORTS, scope(job.account, job.region), job.id.encode(), _encoder.encode(job))
