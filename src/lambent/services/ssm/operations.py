"""The operations of the Parameter Store."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from typing import Any

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.ssm import filters, names
from lambent.services.ssm.model import (
    COLLECTION,
    MAX_VERSIONS,
    Parameter,
    Version,
    decode,
    encode,
)
from lambent.services.ssm.names import validation
from lambent.store.contract import Store, Transaction

DEFAULT_KEY = "alias/aws/ssm"
_LIMITS = {"Standard": 4096, "Advanced": 8192}
_TOO_LONG = {
    "Standard": "Standard tier parameters support a maximum parameter value of 4096 characters. "
    "To create a larger parameter value, upgrade the parameter to use the advanced-parameter "
    "tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/"
    "userguide/parameter-store-advanced-parameters.html",
    "Advanced": "Advanced tier parameters support a maximum parameter value of 8192 characters.",
}


def _partition(context: RequestContext) -> bytes:
    return f"{context.account}/{context.region}".encode()


def _not_found(name: str) -> AwsError:
    return AwsError("ParameterNotFound", f"Parameter {name} not found.")


class ParameterOperations:
    """Put, get, list and delete parameters."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put_parameter(self, context: RequestContext, params: Params) -> Result:
        name = params["Name"]
        if name.startswith("arn:"):
            name, _ = names.split(name)
        names.check_new(name)
        overwrite, tags = bool(params.get("Overwrite")), params.get("Tags") or []
        if overwrite and tags:
            raise validation(
                "Invalid request: tags and overwrite can't be used together. To create a "
                "parameter with tags, please remove overwrite flag. To update tags for an "
                "existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
            )

        async def body(tx: Transaction) -> Version:
            existing = await self._find(tx, context, name)
            if existing is not None and not overwrite:
                raise AwsError(
                    "ParameterAlreadyExists",
                    "The parameter already exists. To overwrite this value, set the overwrite "
                    "option in the request to true.",
                )
            version = _next_version(context, params, existing, tx.now)
            kept = [*existing.versions, version] if existing else [version]
            await self._save(
                tx,
                context,
                Parameter(
                    name,
                    kept[-MAX_VERSIONS:],
                    existing.tags if existing else {tag["Key"]: tag["Value"] for tag in tags},
                ),
            )
            return version

        version = await self._store.transact(body)
        return {"Version": version.number, "Tier": version.tier}

    async def get_parameter(self, context: RequestContext, params: Params) -> Result:
        name, selector = names.split(params["Name"])
        decrypt = bool(params.get("WithDecryption"))

        async def body(tx: Transaction) -> dict[str, Any]:
            parameter = await self._find(tx, context, name)
            if parameter is None:
                raise _not_found(name)
            version = _select(parameter, selector)
            if version is None:
                raise AwsError(
                    "ParameterVersionNotFound",
                    f"Systems Manager could not find version {selector} of {name}. Verify the "
                    "version and try again.",
                )
            return _wire(context, parameter, version, decrypt, selector)

        return {"Parameter": await self._store.transact(body)}

    async def get_parameters(self, context: RequestContext, params: Params) -> Result:
        decrypt = bool(params.get("WithDecryption"))
        wanted = params["Names"]
        if len({names.split(reference)[0] for reference in wanted}) < len(wanted):
            raise validation("Duplicate parameter names are not allowed.")

        async def body(tx: Transaction) -> Result:
            found: list[dict[str, Any]] = []
            invalid: list[str] = []
            for reference in wanted:
                name, selector = names.split(reference)
                parameter = await self._find(tx, context, name)
                version = _select(parameter, selector) if parameter else None
                if parameter is None or version is None:
                    invalid.append(reference)
                else:
                    found.append(_wire(context, parameter, version, decrypt, selector))
            return {"Parameters": found, "InvalidParameters": invalid}

        return await self._store.transact(body)

    async def get_parameters_by_path(self, context: RequestContext, params: Params) -> Result:
        path = params["Path"]
        if not path.startswith("/"):
            raise validation(
                "The parameter doesn't meet the parameter name requirements. The parameter name "
                'must begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" '
                "(case-insensitive). It must use only letters, numbers, or the following symbols: "
                ". (period), - (hyphen), _ (underscore). Special characters are not allowed. All "
                'sub-paths, if specified, must use the forward slash symbol "/". Valid example: '
                "/get/parameters2-/by1./path0_."
            )
        limit, recursive = params.get("MaxResults") or 10, bool(params.get("Recursive"))
        decrypt = bool(params.get("WithDecryption"))

        async def body(tx: Transaction) -> Result:
            matching = [
                parameter
                for parameter in await self._all(tx, context, params.get("NextToken") or "")
                if filters.under(parameter.name, path, recursive)
                and filters.keeps(parameter, params.get("ParameterFilters") or ())
            ]
            return {
                "Parameters": [_wire(context, p, p.latest, decrypt) for p in matching[:limit]],
                "NextToken": matching[limit - 1].name if len(matching) > limit else None,
            }

        return await self._store.transact(body)

    async def describe_parameters(self, context: RequestContext, params: Params) -> Result:
        limit = params.get("MaxResults") or 50
        wanted = [
            *(params.get("ParameterFilters") or ()),
            *(
                {**item, "Option": "BeginsWith" if item["Key"] == "Name" else "Equals"}
                for item in params.get("Filters") or ()
            ),
        ]

        async def body(tx: Transaction) -> Result:
            matching = [
                parameter
                for parameter in await self._all(tx, context, params.get("NextToken") or "")
                if filters.keeps(parameter, wanted)
            ]
            return {
                "Parameters": [_metadata(context, p, p.latest) for p in matching[:limit]],
                "NextToken": matching[limit - 1].name if len(matching) > limit else None,
            }

        return await self._store.transact(body)

    async def get_parameter_history(self, context: RequestContext, params: Params) -> Result:
        name, _ = names.split(params["Name"])
        limit, token = params.get("MaxResults") or 50, params.get("NextToken") or "0"
        if not (token.isdecimal() and len(token) < 10):
            raise AwsError("InvalidNextToken", "The specified token isn't valid.")
        after = int(token)

        async def body(tx: Transaction) -> Result:
            parameter = await self._find(tx, context, name)
            if parameter is None:
                raise _not_found(name)
            left = [version for version in parameter.versions if version.number > after]
            decrypt = bool(params.get("WithDecryption"))
            return {
                "Parameters": [
                    {
                        **_metadata(context, parameter, version),
                        "Value": _shown(version, decrypt),
                        "Labels": version.labels,
                    }
                    for version in left[:limit]
                ],
                "NextToken": str(left[limit - 1].number) if len(left) > limit else None,
            }

        return await self._store.transact(body)

    async def label_parameter_version(self, context: RequestContext, params: Params) -> Result:
        name, _ = names.split(params["Name"])
        labels = params["Labels"]
        invalid = [x for x in labels if not re.fullmatch(r"(?!aws|ssm)[A-Za-z_.\-][\w.\-]*", x)]
        valid = [label for label in labels if label not in invalid]

        async def body(tx: Transaction) -> Result:
            parameter = await self._find(tx, context, name)
            if parameter is None:
                raise _not_found(name)
            number = params.get("ParameterVersion") or parameter.latest.number
            if number not in (version.number for version in parameter.versions):
                raise AwsError(
                    "ParameterVersionNotFound",
                    f"Systems Manager could not find version {number} of {name}. Verify the "
                    "version and try again.",
                )
            versions = [
                msgspec.structs.replace(
                    version,
                    labels=[x for x in version.labels if x not in valid]
                    + (valid if version.number == number else []),
                )
                for version in parameter.versions
            ]
            await self._save(tx, context, msgspec.structs.replace(parameter, versions=versions))
            return {"InvalidLabels": invalid, "ParameterVersion": number}

        return await self._store.transact(body)

    async def delete_parameter(self, context: RequestContext, params: Params) -> Result:
        name, _ = names.split(params["Name"])

        async def body(tx: Transaction) -> None:
            if not await tx.delete(COLLECTION, _partition(context), name.encode()):
                raise _not_found(name)

        await self._store.transact(body)
        return None

    async def delete_parameters(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            deleted: list[str] = []
            for reference in params["Names"]:
                name, _ = names.split(reference)
                if await tx.delete(COLLECTION, _partition(context), name.encode()):
                    deleted.append(reference)
            gone = [name for name in params["Names"] if name not in deleted]
            return {"DeletedParameters": deleted, "InvalidParameters": gone}

        return await self._store.transact(body)

    # Tags ------------------------------------------------------------------------------

    async def add_tags_to_resource(self, context: RequestContext, params: Params) -> Result:
        added = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        return await self._retag(context, params, added, [])

    async def remove_tags_from_resource(self, context: RequestContext, params: Params) -> Result:
        return await self._retag(context, params, {}, params["TagKeys"])

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Result:
        async def body(tx: Transaction) -> Result:
            tags = (await self._resource(tx, context, params)).tags
            return {"TagList": [{"Key": key, "Value": text} for key, text in tags.items()]}

        return await self._store.transact(body)

    async def _retag(
        self, context: RequestContext, params: Params, added: dict[str, str], removed: list[str]
    ) -> Result:
        async def body(tx: Transaction) -> None:
            parameter = await self._resource(tx, context, params)
            tags = {k: v for k, v in {**parameter.tags, **added}.items() if k not in removed}
            await self._save(tx, context, msgspec.structs.replace(parameter, tags=tags))

        await self._store.transact(body)
        return None

    async def _resource(
        self, tx: Transaction, context: RequestContext, params: Params
    ) -> Parameter:
        parameter = None
        if params["ResourceType"] == "Parameter":
            parameter = await self._find(tx, context, names.split(params["ResourceId"])[0])
        if parameter is None:
            raise AwsError(
                "InvalidResourceId",
                "The resource ID is not valid. Verify that you entered the correct ID and try "
                "again.",
            )
        return parameter

    # Store -----------------------------------------------------------------------------

    async def _find(self, tx: Transaction, context: RequestContext, name: str) -> Parameter | None:
        record = await tx.get(COLLECTION, _partition(context), name.encode())
        return decode(record.value) if record else None

    async def _all(self, tx: Transaction, context: RequestContext, after: str) -> list[Parameter]:
        start = after.encode() + b"\x00" if after else b""
        records = await tx.scan(COLLECTION, _partition(context), start=start)
        return [decode(record.value) for record in records]

    async def _save(self, tx: Transaction, context: RequestContext, parameter: Parameter) -> None:
        await tx.put(COLLECTION, _partition(context), parameter.name.encode(), encode(parameter))


def _next_version(
    context: RequestContext, params: Params, existing: Parameter | None, now: float
) -> Version:
    before = existing.latest if existing else None
    type_ = params.get("Type") or (before.type if before else None)
    if type_ is None:
        raise validation("A parameter type is required when you create a parameter.")
    value = params["Value"]
    tier = params.get("Tier") or (before.tier if before else "Standard")
    if tier == "Intelligent-Tiering":
        advanced = len(value) > _LIMITS["Standard"] or bool(params.get("Policies"))
        tier = "Advanced" if advanced else "Standard"
    if len(value) > _LIMITS[tier]:
        raise validation(_TOO_LONG[tier])
    pattern = params.get("AllowedPattern") or (before.pattern if before else None)
    if pattern:
        try:
            matches = re.search(pattern, value) is not None
        except re.error:
            raise AwsError(
                "InvalidAllowedPatternException",
                "The request does not meet the regular expression requirement.",
            ) from None
        if not matches:
            raise AwsError(
                "ParameterPatternMismatchException",
                f"Parameter value, cannot be validated against allowedPattern: {pattern}",
            )
    key = None
    if type_ == "SecureString":
        key = params.get("KeyId") or (before.key if before else None) or DEFAULT_KEY
    return Version(
        number=before.number + 1 if before else 1,
        value=value,
        type=type_,
        modified=now,
        user=context.principal,
        tier=tier,
        data_type=params.get("DataType") or (before.data_type if before else "text"),
        description=params.get("Description") or (before.description if before else None),
        pattern=pattern,
        key=key,
        policies=params.get("Policies"),
    )


def _select(parameter: Parameter, selector: str) -> Version | None:
    if not selector:
        return parameter.latest
    for version in parameter.versions:
        if selector == str(version.number) or selector in version.labels:
            return version
    return None


def _shown(version: Version, decrypt: bool) -> str:
    if version.type != "SecureString" or decrypt:
        return version.value
    # Without decryption AWS gives the ciphertext: opaque, and different for each value.
    digest = hashlib.sha512(f"{version.key}:{version.number}:{version.value}".encode()).digest()
    return b64encode(digest).decode()


def _wire(
    context: RequestContext,
    parameter: Parameter,
    version: Version,
    decrypt: bool,
    selector: str = "",
) -> dict[str, Any]:
    return {
        "Name": parameter.name,
        "Type": version.type,
        "Value": _shown(version, decrypt),
        "Version": version.number,
        "Selector": f":{selector}" if selector else None,
        "LastModifiedDate": version.modified,
        "ARN": context.arn("ssm", names.resource(parameter.name)),
        "DataType": version.data_type,
    }


def _metadata(context: RequestContext, parameter: Parameter, version: Version) -> dict[str, Any]:
    policies: list[dict[str, str]] = []
    return {
        "Name": parameter.name,
        "ARN": context.arn("ssm", names.resource(parameter.name)),
        "Type": version.type,
        "KeyId": version.key,
        "LastModifiedDate": version.modified,
        "LastModifiedUser": version.user or None,
        "Description": version.description,
        "AllowedPattern": version.pattern,
        "Version": version.number,
        "Tier": version.tier,
        "Policies": policies,
        "DataType": version.data_type,
    }
