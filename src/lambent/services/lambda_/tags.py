"""Tags of functions, event source mappings and code signing configurations.

Source: Lambda API Reference, TagResource, UntagResource, ListTags.
"""

from __future__ import annotations

from collections.abc import Mapping

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.names import from_arn
from lambent.store.contract import Transaction

MAXIMUM_TAGS = 50


def check_tags(tags: Mapping[str, str]) -> None:
    """InvalidParameterValueException when these cannot be a resource's tags."""
    if len(tags) > MAXIMUM_TAGS:
        raise errors.invalid("Number of tags exceeds resource tag limit.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise errors.invalid("Tag keys starting with 'aws:' are reserved for system use.")


class TagOperations(Base):
    """TagResource and its like."""

    async def tag_resource(self, context: RequestContext, params: Params) -> Result:
        """TagResource."""
        await self._change(params["Resource"], params.get("Tags") or {}, ())
        return None

    async def untag_resource(self, context: RequestContext, params: Params) -> Result:
        """UntagResource."""
        await self._change(params["Resource"], {}, params["TagKeys"])
        return None

    async def list_tags(self, context: RequestContext, params: Params) -> Result:
        """ListTags."""
        return {"Tags": await self._change(params["Resource"], {}, ())}

    async def _change(
        self, resource: str, added: Mapping[str, str], removed: list[str] | tuple[()]
    ) -> dict[str, str]:
        """The resource's tags once changed."""
        arn = _arn(resource)
        kind, _, uuid = arn.resource.partition(":")

        async def body(tx: Transaction) -> dict[str, str]:
            if kind == "event-source-mapping":
                mapping = await records.find_mapping(tx, arn.account, arn.region, uuid)
                if mapping is None:
                    raise errors.not_found()
                tags = mapping.tags
            elif kind == "code-signing-config":
                config = await records.find_code_signing(tx, arn.account, arn.region, resource)
                if config is None:
                    raise errors.not_found()
                tags = config.tags
            else:
                reference = from_arn(arn)
                if reference.qualifier is not None:
                    raise errors.invalid(
                        "Tags on function aliases and versions are not supported. Please "
                        "specify a function ARN."
                    )
                function = await records.get_function(tx, reference)
                tags = function.tags
            if not added and not removed:
                return tags
            tags.update(added)
            for key in removed:
                tags.pop(key, None)
            check_tags(tags)
            if kind == "event-source-mapping":
                assert mapping is not None
                await records.put_mapping(tx, arn.account, arn.region, mapping)
            elif kind == "code-signing-config":
                assert config is not None
                await records.put_code_signing(tx, arn.account, arn.region, resource, config)
            else:
                await records.put_function(tx, reference, function)
            return tags

        return await self._store.transact(body)


def _arn(text: str) -> Arn:
    try:
        return Arn.parse(text)
    except ValueError:
        raise errors.validation(
            text, "resource", "Member must satisfy regular expression pattern: arn:.*"
        ) from None
