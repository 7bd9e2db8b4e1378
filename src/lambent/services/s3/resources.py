"""The CloudFormation resource types of S3.

Source: CloudFormation template reference, AWS::S3::Bucket and AWS::S3::BucketPolicy. A
bucket is made with its settings by the service's own operations; when one of them fails,
the bucket that was begun is taken away again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.core.resource_parts import PutResource, document, quietly, tag_list, tags
from lambent.core.resources import Created, Properties, ResourceRequest, ResourceType
from lambent.services.s3 import template
from lambent.services.s3.operations import Operations

Apply = Callable[[RequestContext, Params], Awaitable[Result]]
_DASHED_WEBSITES: Final = frozenset(
    {
        "us-east-1",
        "us-west-1",
        "us-west-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-northeast-1",
        "eu-west-1",
        "sa-east-1",
        "us-gov-west-1",
    }
)


class _Setting:
    """How one property is put on a bucket, and what takes it off again."""

    def __init__(
        self,
        put: Apply,
        member: str,
        translate: Callable[[Any], Any],
        remove: Apply | None = None,
        neutral: Any = None,
    ) -> None:
        self._put = put
        self._member = member
        self._translate = translate
        self._remove = remove
        self._neutral = neutral

    async def apply(self, context: RequestContext, bucket: str, value: Any) -> None:
        """Put the property's value on the bucket."""
        await self._put(context, {"Bucket": bucket, self._member: self._translate(value)})

    async def reset(self, context: RequestContext, bucket: str) -> None:
        """What becomes of a property that a template does not name any more."""
        if self._remove is not None:
            await self._remove(context, {"Bucket": bucket})
        elif self._neutral is not None:
            await self._put(context, {"Bucket": bucket, self._member: self._neutral})


class BucketType:
    """AWS::S3::Bucket."""

    required: frozenset[str] = frozenset()
    replaces = frozenset({"BucketName"})
    attributes = frozenset(
        ("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL")
    )

    def __init__(self, operations: Operations) -> None:
        ops = self._operations = operations
        # In this order: versions come before what needs them, destinations last.
        self._settings: Mapping[str, _Setting] = {
            "VersioningConfiguration": _Setting(
                ops.put_bucket_versioning,
                "VersioningConfiguration",
                dict,
                neutral={"Status": "Suspended"},
            ),
            "ObjectLockConfiguration": _Setting(
                ops.put_object_lock_configuration, "ObjectLockConfiguration", template.object_lock
            ),
            "OwnershipControls": _Setting(
                ops.put_bucket_ownership_controls,
                "OwnershipControls",
                dict,
                ops.delete_bucket_ownership_controls,
            ),
            "PublicAccessBlockConfiguration": _Setting(
                ops.put_public_access_block,
                "PublicAccessBlockConfiguration",
                template.public_access,
                ops.delete_public_access_block,
            ),
            "AccessControl": _Setting(
                ops.put_bucket_acl, "ACL", template.canned_acl, neutral="private"
            ),
            "BucketEncryption": _Setting(
                ops.put_bucket_encryption,
                "ServerSideEncryptionConfiguration",
                template.encryption,
                ops.delete_bucket_encryption,
            ),
            "CorsConfiguration": _Setting(
                ops.put_bucket_cors, "CORSConfiguration", template.cors, ops.delete_bucket_cors
            ),
            "LifecycleConfiguration": _Setting(
                ops.put_bucket_lifecycle_configuration,
                "LifecycleConfiguration",
                template.lifecycle,
                ops.delete_bucket_lifecycle,
            ),
            "WebsiteConfiguration": _Setting(
                ops.put_bucket_website,
                "WebsiteConfiguration",
                template.website,
                ops.delete_bucket_website,
            ),
            "AccelerateConfiguration": _Setting(
                ops.put_bucket_accelerate_configuration,
                "AccelerateConfiguration",
                lambda value: {"Status": value["AccelerationStatus"]},
            ),
            "ReplicationConfiguration": _Setting(
                ops.put_bucket_replication,
                "ReplicationConfiguration",
                dict,
                ops.delete_bucket_replication,
            ),
            "NotificationConfiguration": _Setting(
                ops.put_bucket_notification_configuration,
                "NotificationConfiguration",
                template.notification,
                neutral={},
            ),
        }
        self.properties = frozenset(self._settings) | {
            "BucketName",
            "LoggingConfiguration",
            "ObjectLockEnabled",
            "Tags",
        }

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        context = request.context
        name = properties.get("BucketName") or template.bucket_name(request.default_name)
        if not request.resumed:
            await self._refuse_existing(context, name)
        params: Params = {"Bucket": name}
        if context.region != "us-east-1":
            params["CreateBucketConfiguration"] = {"LocationConstraint": context.region}
        if template.flag(properties.get("ObjectLockEnabled", False)):
            params["ObjectLockEnabledForBucket"] = True
        try:
            await self._operations.create_bucket(context, params)
        except AwsError as error:
            if error.code != "BucketAlreadyOwnedByYou" or not request.resumed:
                raise
        try:
            await self._apply(request, name, {}, properties)
        except AwsError:
            await self._operations.delete_bucket(context, {"Bucket": name})
            raise
        return _created(context, name)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        await self._apply(request, physical_id, old, new)
        return _created(request.context, physical_id)

    async def read(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> Properties | None:
        """The bucket as it is."""
        bucket = {"Bucket": physical_id}
        await self._operations.head_bucket(request.context, bucket)
        versions = await self._operations.get_bucket_versioning(request.context, bucket)
        found = {
            "BucketName": physical_id,
            "VersioningConfiguration": {"Status": (versions or {}).get("Status", "Suspended")},
        }
        return {name: found[name] for name in found if name in properties}

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_bucket(request.context, {"Bucket": physical_id}),
            "NoSuchBucket",
        )

    async def _refuse_existing(self, context: RequestContext, name: str) -> None:
        # CreateBucket by the owner succeeds in us-east-1; a stack must not adopt a bucket.
        try:
            await self._operations.head_bucket(context, {"Bucket": name})
        except AwsError as error:
            if error.code == "NoSuchBucket":
                return
        raise AwsError("BucketAlreadyExists", f"{name} already exists", 409)

    async def _apply(
        self, request: ResourceRequest, name: str, old: Properties, new: Properties
    ) -> None:
        context = request.context
        for member, setting in self._settings.items():
            if member in new:
                if old.get(member) != new[member]:
                    await setting.apply(context, name, new[member])
            elif member in old:
                await setting.reset(context, name)
        await self._apply_logging(context, name, old, new)
        wanted = {key: value for key, value in tags(request, new).items() if key[:4] != "aws:"}
        if wanted:
            await self._operations.put_bucket_tagging(
                context, {"Bucket": name, "Tagging": {"TagSet": tag_list(wanted)}}
            )
        elif old.get("Tags"):
            await self._operations.delete_bucket_tagging(context, {"Bucket": name})

    async def _apply_logging(
        self, context: RequestContext, name: str, old: Properties, new: Properties
    ) -> None:
        wanted = new.get("LoggingConfiguration")
        if wanted == old.get("LoggingConfiguration"):
            return
        status = {} if wanted is None else template.logging(wanted, name)
        await self._operations.put_bucket_logging(
            context, {"Bucket": name, "BucketLoggingStatus": status}
        )


def _created(context: RequestContext, name: str) -> Created:
    region = context.region
    mark = "-" if region in _DASHED_WEBSITES else "."
    attributes: dict[str, Any] = {
        "Arn": f"arn:aws:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
        "WebsiteURL": f"http://{name}.s3-website{mark}{region}.amazonaws.com",
    }
    return Created(name, attributes)


class BucketPolicyType(PutResource):
    """AWS::S3::BucketPolicy."""

    named = "Bucket"
    properties = frozenset({"Bucket", "PolicyDocument"})
    required = frozenset({"Bucket", "PolicyDocument"})
    replaces = frozenset({"Bucket"})
    attributes: frozenset[str] = frozenset()

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def _put(self, request: ResourceRequest, name: str, properties: Properties) -> Created:
        await self._operations.put_bucket_policy(
            request.context, {"Bucket": name, "Policy": document(properties["PolicyDocument"])}
        )
        return Created(name)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        await quietly(
            self._operations.delete_bucket_policy(request.context, {"Bucket": physical_id}),
            "NoSuchBucket",
        )


def resource_types(operations: Operations) -> Mapping[str, ResourceType]:
    """The types by their CloudFormation names."""
    return {
        "AWS::S3::Bucket": BucketType(operations),
        "AWS::S3::BucketPolicy": BucketPolicyType(operations),
    }
