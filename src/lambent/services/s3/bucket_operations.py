"""Buckets: create, look, list, delete."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3 import acl, mfa, regions
from lambent.services.s3.access import find_bucket, open_bucket
from lambent.services.s3.errors import invalid_argument, malformed_xml
from lambent.services.s3.list_operations import make_token, read_token
from lambent.services.s3.model import (
    BUCKETS,
    ENABLED,
    NULLS,
    OBJECTS,
    OWNED,
    SETTINGS,
    VERSIONS,
    Bucket,
    Owned,
    pack,
    pack_document,
    unpack,
)
from lambent.services.s3.multipart_operations import MultipartOperations
from lambent.services.s3.names import check_bucket_name
from lambent.services.s3.retirement import UPLOADS_OF_BUCKET
from lambent.services.s3.tagging import BUCKET_TAGS, as_tag_set, read_tags
from lambent.store import removal
from lambent.store.contract import Transaction

_US_EAST: Final = "us-east-1"
_OWNERSHIPS: Final = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
_MOST_BUCKETS: Final = 10_000
_LISTING_PARAMETERS: Final = frozenset(
    {"MaxBuckets", "ContinuationToken", "Prefix", "BucketRegion"}
)


def bucket_region(constraint: str | None, region: str) -> str:
    """Where a bucket is made: by its LocationConstraint and the region that was asked.

    The us-east-1 endpoint makes buckets anywhere; every other one only at home.
    """
    if constraint is None or constraint == "":
        if region != _US_EAST:
            raise AwsError(
                "IllegalLocationConstraintException",
                "The unspecified location constraint is incompatible for the region specific "
                "endpoint this request was sent to.",
                400,
            )
        return _US_EAST
    if constraint == _US_EAST:
        if region == _US_EAST:
            raise AwsError(
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
                400,
                {"LocationConstraint": constraint},
            )
    elif constraint not in ("EU", region) and constraint not in regions.known():
        raise AwsError(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            400,
            {"LocationConstraint": constraint},
        )
    actual = "eu-west-1" if constraint == "EU" else constraint
    if region not in (_US_EAST, actual):
        raise AwsError(
            "IllegalLocationConstraintException",
            f"The {constraint} location constraint is incompatible for the region specific "
            "endpoint this request was sent to.",
            400,
        )
    return actual


async def write_bucket(tx: Transaction, bucket: Bucket) -> None:
    """Store the bucket's record."""
    await tx.put(BUCKETS, bucket.name.encode(), b"", pack(bucket))


class BucketOperations(MultipartOperations):
    """Names are global over accounts; everything in a bucket hangs on its id."""

    async def create_bucket(self, context: RequestContext, params: Params) -> Result:
        name = params["Bucket"]
        check_bucket_name(name)
        configuration = params.get("CreateBucketConfiguration") or {}
        region = bucket_region(configuration.get("LocationConstraint"), context.region)
        tags = read_tags(
            ((tag["Key"], tag["Value"]) for tag in configuration.get("Tags", ())), BUCKET_TAGS
        )
        ownership = params.get("ObjectOwnership", "")
        if ownership and ownership not in _OWNERSHIPS:
            raise invalid_argument(
                f"Invalid x-amz-object-ownership header: {ownership}",
                "x-amz-object-ownership",
                ownership,
            )
        grants = acl.from_headers(params, context.account, context.account)
        if ownership == "BucketOwnerEnforced" and grants is not None:
            raise AwsError(
                "InvalidBucketAclWithObjectOwnership",
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
                400,
            )
        locked = bool(params.get("ObjectLockEnabledForBucket"))
        bucket_id = self.platform.ids.hex(24)

        async def create(tx: Transaction) -> None:
            existing = await find_bucket(tx, name)
            if existing is not None:
                if existing.account != context.account:
                    raise AwsError(
                        "BucketAlreadyExists",
                        "The requested bucket name is not available. The bucket namespace is "
                        "shared by all users of the system. Please select a different name and "
                        "try again.",
                        409,
                        {"BucketName": name},
                    )
                if existing.region == _US_EAST and region == _US_EAST:
                    return
                raise AwsError(
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already "
                    "own it.",
                    409,
                    {"BucketName": name},
                )
            bucket = Bucket(
                name=name,
                id=bucket_id,
                account=context.account,
                region=region,
                created=tx.now,
                versioning=ENABLED if locked else "",
                object_lock=locked,
                ownership=ownership,
                grants=tuple(acl.private(context.account) if grants is None else grants),
            )
            await write_bucket(tx, bucket)
            await tx.put(
                OWNED, context.account.encode(), name.encode(), pack(Owned(region, tx.now))
            )
            if tags:
                await tx.put(
                    SETTINGS, bucket.key, b"tagging", pack_document({"TagSet": as_tag_set(tags)})
                )

        await self.store.transact(create)
        location = f"/{name}" if context.region == _US_EAST else f"{context.endpoint}/{name}"
        return {"Location": location, "BucketArn": f"arn:aws:s3:::{name}"}

    async def head_bucket(self, context: RequestContext, params: Params) -> Result:
        bucket = await self._look(context, params, "s3:ListBucket")
        return {"BucketRegion": bucket.region, "BucketArn": bucket.arn, "AccessPointAlias": False}

    async def get_bucket_location(self, context: RequestContext, params: Params) -> Result:
        bucket = await self._look(context, params, "s3:GetBucketLocation")
        if bucket.region == _US_EAST:
            return {"LocationConstraint": ""}
        return {"LocationConstraint": bucket.region}

    async def _look(self, context: RequestContext, params: Params, action: str) -> Bucket:
        async def look(tx: Transaction) -> Bucket:
            return await open_bucket(tx, context, params, action)

        return await self.store.transact(look)

    async def list_buckets(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("MaxBuckets", _MOST_BUCKETS)
        if not 1 <= limit <= _MOST_BUCKETS:
            raise invalid_argument(
                f"Argument max-buckets must be an integer between 1 and {_MOST_BUCKETS}",
                "max-buckets",
                str(limit),
            )
        prefix = str(params.get("Prefix", ""))
        wanted = params.get("BucketRegion")
        token = params.get("ContinuationToken")
        start = prefix.encode()
        if token:
            start = max(start, read_token(token) + b"\0")

        async def read(tx: Transaction) -> list[tuple[str, Owned]]:
            records = await tx.scan(OWNED, context.account.encode(), start=start)
            found = ((r.sort.decode(), unpack(Owned, r.value)) for r in records)
            return [
                (name, owned)
                for name, owned in found
                if name.startswith(prefix) and wanted in (None, owned.region)
            ]

        buckets = await self.store.transact(read)
        shown = buckets[:limit]
        # A bucket's region is shown when the request has any parameter ("Bucket", S3 API).
        asked = not params.keys().isdisjoint(_LISTING_PARAMETERS)
        result: dict[str, Any] = {
            "Buckets": [
                {
                    "Name": name,
                    "CreationDate": int(owned.created),
                    "BucketRegion": owned.region if asked else None,
                    "BucketArn": f"arn:aws:s3:::{name}",
                }
                for name, owned in shown
            ],
            "Owner": acl.owner(context.account),
        }
        if "Prefix" in params:
            result["Prefix"] = prefix
        if len(buckets) > limit:
            result["ContinuationToken"] = make_token(shown[-1][0].encode())
        return result

    async def delete_bucket(self, context: RequestContext, params: Params) -> Result:
        async def delete(tx: Transaction) -> None:
            bucket = await open_bucket(tx, context, params, "s3:DeleteBucket")
            if await tx.scan(OBJECTS, bucket.key, limit=1):
                raise _not_empty(bucket, "The bucket you tried to delete is not empty")
            if await tx.scan(VERSIONS, bucket.key, limit=1):
                raise _not_empty(
                    bucket,
                    "The bucket you tried to delete is not empty. You must delete all versions "
                    "in the bucket.",
                )
            await removal.remove(
                tx,
                removal.records(SETTINGS, bucket.key),
                removal.records(NULLS, bucket.key),
                removal.Gone(UPLOADS_OF_BUCKET, bucket.key),
            )
            await tx.delete(BUCKETS, bucket.name.encode())
            await tx.delete(OWNED, bucket.account.encode(), bucket.name.encode())

        await self.store.transact(delete)
        return None

    async def put_bucket_versioning(self, context: RequestContext, params: Params) -> Result:
        configuration = params.get("VersioningConfiguration") or {}
        status = configuration.get("Status")
        if status is None:
            raise AwsError(
                "IllegalVersioningConfigurationException",
                "The Versioning element must be specified",
                400,
            )
        with_mfa = configuration.get("MFADelete", "")
        if status not in ("Enabled", "Suspended") or with_mfa not in ("", "Enabled", "Disabled"):
            raise malformed_xml()

        async def put(tx: Transaction) -> None:
            bucket = await open_bucket(tx, context, params, "s3:PutBucketVersioning")
            if bucket.object_lock and status == "Suspended":
                raise AwsError(
                    "InvalidBucketState",
                    "An Object Lock configuration is present on this bucket, so the versioning "
                    "state cannot be changed.",
                    409,
                )
            if status == "Suspended" and await tx.get(SETTINGS, bucket.key, b"replication"):
                raise AwsError(
                    "InvalidBucketState",
                    "A replication configuration is present on this bucket, so the versioning "
                    "state cannot be changed.",
                    409,
                )
            mfa.demand(bucket, params, enables=with_mfa == ENABLED)
            changed = msgspec.structs.replace(
                bucket, versioning=status, mfa_delete=with_mfa or bucket.mfa_delete
            )
            await write_bucket(tx, changed)

        await self.store.transact(put)
        return None

    async def get_bucket_versioning(self, context: RequestContext, params: Params) -> Result:
        bucket = await self._look(context, params, "s3:GetBucketVersioning")
        shown = {"Status": bucket.versioning, "MFADelete": bucket.mfa_delete}
        return {name: value for name, value in shown.items() if value}


def _not_empty(bucket: Bucket, message: str) -> AwsError:
    return AwsError("BucketNotEmpty", message, 409, {"BucketName": bucket.name})
