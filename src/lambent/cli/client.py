"""How commands reach a node: by its public API, as any AWS client would."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from lambent.core.errors import LambentError
from lambent.core.settings import DEFAULT_PORT, DEFAULT_REGION

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
        callback=_endpoint,
        help="The node to talk to.",
    )(function)


def _endpoint(context: click.Context, parameter: click.Parameter, value: str) -> str:
    place = urlsplit(value)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise click.BadParameter(f"{value} is not a URL such as {DEFAULT_ENDPOINT}.")
    return value.rstrip("/")


def json_option(function: F) -> F:
    """`--json`: for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(
        function
    )


class NodeClient:
    """AWS clients for one node, with the shell's credentials; without any in the environment,
    as the node's own account (profiles in files are for AWS, and are not sent to a node)."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._region = (
            os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
        )

    @cached_property
    def _session(self) -> Any:
        import botocore.session

        session = botocore.session.Session()
        if "AWS_ACCESS_KEY_ID" not in os.environ and "AWS_PROFILE" not in os.environ:
            session.set_credentials("local", "local")
        return session

    def service(self, name: str, read_timeout: float = 910) -> Any:
        """A client of that AWS service; `read_timeout` in seconds."""
        from botocore.config import Config

        return self._session.create_client(
            name,
            endpoint_url=self.endpoint,
            region_name=self._region,
            config=Config(
                retries={"total_max_attempts": 2},
                read_timeout=read_timeout,
                s3={"addressing_style": "path"},
            ),
        )

    def ask(self, path: str, method: str = "GET", body: Any = None, timeout: float = 10) -> Any:
        """A JSON answer of the node's own API, asked for with a signature; `timeout` in
        seconds."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.httpsession import URLLib3Session

        data = b"" if body is None else json.dumps(body).encode()
        request = AWSRequest(method, f"{self.endpoint}/_lambent/{path}", data=data)
        credentials = self._session.get_credentials()
        if credentials is not None:
            SigV4Auth(credentials.get_frozen_credentials(), "lambent", self._region).add_auth(
                request
            )
        answer = URLLib3Session(timeout=timeout).send(request.prepare())
        try:
            content = json.loads(answer.text)
        except ValueError:
            raise CommandError(f"What answers at {self.endpoint} is not a Lambent node.") from None
        if answer.status_code != 200:
            raise CommandError(content.get("message") or f"status {answer.status_code}")
        return content


def calls_node(function: F) -> F:
    """Turn the SDK's errors into one sentence for the user."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

        try:
            return function(*args, **kwargs)
        except EndpointConnectionError as error:
            place = urlsplit(error.kwargs.get("endpoint_url", ""))
            raise CommandError(
                f"No node answers at {place.scheme}://{place.netloc}: start one with `lambent up`, "
                "or name another with --endpoint."
            ) from error
        except ClientError as error:
            answer = error.response["Error"]
            raise CommandError(answer.get("Message") or answer["Code"]) from error
        except BotoCoreError as error:
            raise CommandError(str(error)) from error

    return wrapped  # type: ignore[return-value]


def print_json(value: Any) -> None:
    """JSON as people can read it; for scripts, one line for each value."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, default=str))
