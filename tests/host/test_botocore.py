"""What the zygote remembers of botocore changes nothing that a function could notice."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.host.conftest import Function

pytestmark = pytest.mark.asyncio(loop_scope="session")

FACTS = '''
import copy, gc, os
import boto3, botocore, botocore.session
from botocore.config import Config
from botocore.httpsession import URLLib3Session

ACCESS_POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"
SERVICES = ("s3", "dynamodb", "sqs", "cloudformation")

def methods(client):
    return {name: getattr(client, name).__doc__[:60] for name in dir(client) if name[0] != "_"
            and callable(getattr(client, name)) and name in client.meta.method_to_api_mapping}

def asked(client):
    """Where a client would send a request, and as whom."""
    sent = []
    client.meta.events.register_first(
        "before-send", lambda request, **_: sent.append(request) or 1 / 0)
    try:
        client.list_buckets()
    except Exception:
        pass
    agent = sent[0].headers["User-Agent"]
    agent = agent.decode() if isinstance(agent, bytes) else agent
    # The parts of one of its words come in the order of a set.
    words = ["".join(sorted(word)) if word[:2] == "m/" else word for word in agent.split()]
    return sent[0].url, words

def facts():
    found = {}
    botocore.register_initializer(
        lambda session: found.setdefault("initialised", type(session).__name__))
    one, other = boto3.session.Session(), boto3.session.Session()
    one.events.register(
        "creating-client-class.s3", lambda class_attributes, **_: class_attributes.update(mine=1))
    found["own methods"] = [hasattr(each.client("s3"), "mine") for each in (one, other, one)]
    first, second = other.client("s3"), other.client("s3")
    type(first).list_buckets = None
    found["classes are apart"] = second.list_buckets is not None and first.list_buckets is None
    found["classes"] = type(second).__mro__[1].__name__
    for service in SERVICES:
        client = boto3.client(service)
        found[service] = methods(client)
        found[f"{service} model"] = [len(client.meta.service_model.operation_names),
                                     client.meta.endpoint_url, client.exceptions.__class__.__name__]
    names = client.meta.service_model.operation_names
    mapping = client.meta.method_to_api_mapping
    mapping["other"] = "x"
    again = boto3.client(SERVICES[-1]).meta.method_to_api_mapping
    found["mappings are apart"] = "other" not in again
    found["urls"] = [
        boto3.client(
            "s3", region_name=region, config=Config(s3={"addressing_style": style}), **more
        ).generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}).partition("?")[0]
        for region in ("us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1")
        for style in ("path", "virtual", "auto")
        for bucket in ("plain", "with.dots", ACCESS_POINT)
        for more in ({}, {"endpoint_url": f"https://s3.{region}.example"})
        if bucket != ACCESS_POINT
        or (region in ("us-east-1", "eu-west-1") and style != "path" and not more)
    ]
    os.environ["AWS_EXECUTION_ENV"] = "mine"
    found["asked"] = asked(boto3.session.Session(region_name="eu-west-1").client("s3"))
    found["default asked"] = asked(boto3.client("s3"))
    session = URLLib3Session(verify=False, client_cert=("cert", "key"), timeout=(1, 2))
    found["http"] = [session._verify, session._cert_file, session._key_file,
                     session._timeout.connect_timeout, len(session._manager.pools)]
    try:
        session.no_such_thing
    except AttributeError as error:
        found["http lacks"] = str(error)
    found["http copied"] = copy.copy(URLLib3Session(verify="ca"))._verify
    URLLib3Session().close()
    try:
        URLLib3Session(no_such_option=1).close()
    except TypeError as error:
        found["http refuses"] = str(error)
    found["sessions"] = [
        botocore.session.get_session({"region": ("r", "MY_REGION", None, None)})
        .get_config_variable("region"),
        botocore.session.Session(profile="none").profile,
        botocore.session.get_session().user_agent_name,
    ]
    return found
'''
HANDLER = f"{FACTS}\ndef handler(event, context): return [dict(os.environ), facts()]\n"


async def test_functions_find_botocore_as_a_plain_python_has_it(
    function: Callable[..., Function], tmp_path: Path
) -> None:
    result = await function(HANDLER, memory=512, timeout=30)()
    assert result.error is None, result.payload
    environment, found = json.loads(result.payload)
    script = tmp_path / "plain.py"
    # A thread of its own would be a difference, too.
    script.write_text(f"{FACTS}\nimport json\nprint(json.dumps(facts()))\n")
    plain = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script)),
        env={**environment, "PYTHONPATH": ""},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await plain.communicate()
    assert plain.returncode == 0
    expected = json.loads(output)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == value, name


async def test_a_default_session_made_ahead_is_given_out_once(
    function: Callable[..., Function],
) -> None:
    source = textwrap.dedent(
        """
        import boto3, botocore.session
        made = [botocore.session.get_session() for _ in range(3)]
        def handler(event, context):
            made[0].set_config_variable("region", "eu-west-3")
            regions = [each.get_config_variable("region") for each in made]
            return [len(set(map(id, made))), regions, boto3.DEFAULT_SESSION is None]
        """
    )
    result = await function(source)()
    assert json.loads(result.payload) == [3, ["eu-west-3", "eu-west-1", "eu-west-1"], True]
