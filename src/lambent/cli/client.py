"""How commands reach a node: by its public API, as any AWS client would."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import click

from lambent.core.errors import LambentError
from lambent.core.settings import DEFAULT_ACCOUNT, DEFAULT_PORT, DEFAULT_REGION

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_ENDPOINT = f"http://127.0.0.1:{DEFAULT_PORT}"


class CommandError(LambentError):
    """A command could not do what it was asked; the message is for the user."""


def endpoint_option(function: F) -> F:
    """`--endpoint`: which node a command talks to."""
    return click.option(
        "--endpoint",
        envvar=["LAMBENT_ENDPOINT", "AWS_ENDPOINT_URL"],
        default=DEFAULT_ENDPOINT,
        show_default=True,
        metavar="URL",
        help="The node to talk to.",
    )(function)


def json_option(function: F) -> F:
    """`--json`: for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(
        function
    )


class NodeClient:
    """AWS clients for one node, with the shell's credentials or the local account's."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")

    @cached_property
    def _session(self) -> Any:
        import botocore.session

        return botocore.session.Session()

    def service(self, name: str) -> Any:
        """A client of that AWS service."""
        from botocore.config import Config

        has_credentials = "AWS_ACCESS_KEY_ID" in os.environ or "AWS_PROFILE" in os.environ
        credentials = (
            {}
            if has_credentials
            else {"aws_access_key_id": DEFAULT_ACCOUNT, "aws_secret_access_key": "local"}
        )
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return self._session.create_client(
            name,
            endpoint_url=self.endpoint,
            region_name=region or DEFAULT_REGION,
            config=Config(
                retries={"total_max_attempts": 2},
                read_timeout=910,
                s3={"addressing_style": "path"},
            ),
            **credentials,
        )


def calls_node(function: F) -> F:
    """Turn the SDK's errors into one sentence for the user."""
    import functools

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

        try:
            return function(*args, **kwargs)
        except EndpointConnectionError as error:
            url = error.kwargs.get("endpoint_url", "")
            raise CommandError(
                f"No node answers at {url}: start one with `lambent up`, or name another with "
                "--endpoint."
            ) from error
        except ClientError as error:
            answer = error.response["Error"]
            raise CommandError(f"{answer.get('Message') or answer.get('Code')}") from error
        except BotoCoreError as error:
            raise CommandError(str(error)) from error

    return wrapped  # type: ignore[return-value]


def print_json(value: Any) -> None:
    """JSON as scripts and people can read it."""
    click.echo(json.dumps(value, indent=2, default=str))
