"""ImportTable, DescribeImport and ListImports.

Source: Amazon DynamoDB Developer Guide, "DynamoDB data import from Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.services.dynamodb.backups.model import new_id
from lambent.services.dynamodb.errors import invalid
from lambent.services.dynamodb.imports.model import IMPORTS, Import, decode_import, save_import
from lambent.services.dynamodb.imports.reading import Importer
from lambent.services.dynamodb.model import find_table, save_table, scope
from lambent.services.dynamodb.parameters import check_name
from lambent.services.dynamodb.table_rules import new_table
from lambent.store.contract import Store, Transaction

_TOKEN_SECONDS = 8 * 3600.0
_MAX_LISTED = 25
_TOKEN_DIGITS = 112
"""How many hexadecimal digits the model asks of a token at least."""
_KEPT = (
    "ClientToken",
    "S3BucketSource",
    "InputFormat",
    "InputFormatOptions",
    "InputCompressionType",
    "TableCreationParameters",
)


class Imports:
    """The operations on imports."""

    def __init__(self, store: Store, ids: Ids, importer: Importer) -> None:
        self._store = store
        self._ids = ids
        self._importer = importer

    async def begin(self, context: RequestContext, params: Params) -> Result:
        """ImportTable: from DynamoDB's JSON or CSV, plain or by gzip."""
        wanted = params["TableCreationParameters"]
        check_name(wanted["TableName"])
        for name, unknown in (("InputFormat", "ION"), ("InputCompressionType", "ZSTD")):
            if params.get(name) == unknown:
                raise invalid(f"{name} {unknown} is not available on this node.")
        request = {name: params[name] for name in _KEPT if params.get(name) is not None}
        token = params.get("ClientToken")

        async def body(tx: Transaction) -> Import:
            for known in await _imports(tx, context):
                if not token or known.request.get("ClientToken") != token:
                    continue
                if known.request == request and known.started > tx.now - _TOKEN_SECONDS:
                    return known
                if known.started > tx.now - _TOKEN_SECONDS:
                    raise AwsError(
                        "ImportConflictException",
                        "There was a conflict when importing from the specified S3 source",
                        400,
                    )
            table = new_table(
                wanted, account=context.account, region=context.region, now=tx.now, ids=self._ids
            )
            if await find_table(tx, context.account, context.region, table.name) is not None:
                raise AwsError("ResourceInUseException", f"Table already exists: {table.name}", 400)
            await save_table(tx, msgspec.structs.replace(table, importing=True))
            job = Import(
                id=new_id(tx.now, self._ids.hex(8)),
                account=context.account,
                region=context.region,
                table=table.name,
                table_id=table.id,
                request=request,
                started=tx.now,
            )
            await save_import(tx, job)
            return job

        job = await self._store.transact(body)
        if not job.ended:
            self._importer.begin(job)
        return {"ImportTableDescription": _description(job)}

    async def describe(self, context: RequestContext, params: Params) -> Result:
        """DescribeImport."""
        arn = params["ImportArn"]
        _check_arn(arn)

        async def body(tx: Transaction) -> Import:
            for job in await _imports(tx, context):
                if job.arn == arn:
                    return job
            raise AwsError("ImportNotFoundException", f"Import not found: {arn}", 400)

        return {"ImportTableDescription": _description(await self._store.transact(body))}

    async def list(self, context: RequestContext, params: Params) -> Result:
        """ListImports: in the order in which they were begun."""
        arn, token = params.get("TableArn"), _after(params.get("NextToken"))
        limit = params.get("PageSize") or _MAX_LISTED
        found = await self._store.transact(lambda tx: _imports(tx, context))
        left = [job for job in found if job.id > token and (arn is None or job.table_arn == arn)]
        return {
            "ImportSummaryList": [
                {
                    "ImportArn": job.arn,
                    "ImportStatus": job.status,
                    "TableArn": job.table_arn,
                    "S3BucketSource": job.request["S3BucketSource"],
                    "InputFormat": job.request["InputFormat"],
                    "StartTime": job.started,
                    "EndTime": job.ended or None,
                }
                for job in left[:limit]
            ],
            "NextToken": _token(left[limit - 1].id) if len(left) > limit else None,
        }


def _token(id: str) -> str:
    return id.encode().hex().ljust(_TOKEN_DIGITS, "0")


def _after(token: str | None) -> str:
    try:
        return bytes.fromhex(token).rstrip(b"\0").decode() if token else ""
    except ValueError:
        raise invalid(f"Invalid NextToken: {token}") from None


def _description(job: Import) -> Mapping[str, Any]:
    return {
        "ImportArn": job.arn,
        "ImportStatus": job.status,
        "TableArn": job.table_arn,
        "TableId": job.table_id,
        "InputCompressionType": "NONE",
        **job.request,
        "ErrorCount": job.errors,
        "StartTime": job.started,
        "EndTime": job.ended or None,
        "ProcessedSizeBytes": job.bytes,
        "ProcessedItemCount": job.processed,
        "ImportedItemCount": job.imported,
        "FailureCode": job.failure or None,
        "FailureMessage": job.message or None,
    }


def _check_arn(given: str) -> None:
    try:
        arn = Arn.parse(given)
    except ValueError:
        arn = None
    if arn is None or arn.service != "dynamodb" or "/import/" not in arn.resource:
        raise invalid(f"Invalid ImportArn: {given}")


async def _imports(tx: Transaction, context: RequestContext) -> list[Import]:
    records = await tx.scan(IMPORTS, scope(context.account, context.region))
    return [decode_import(record) for record in records]
