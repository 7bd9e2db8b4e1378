"""What takes the place of the official Python client's extension: the same words on the wire."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from lambent.host.runtimes import python_transport

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLS = """
print(client.next()[0])
client.post_invocation_result("id-1", b'{"a":1}', "application/json", None)
client.post_invocation_result("id-1", b"x" * 300_000, "application/unknown", "same")
client.post_error("id-1", '{"errorMessage":"x"}', '{"cause":1}', None)
client.post_error("id-1", '{"errorMessage":"x"}', "", "same")
body, headers = client.next()
print(len(body), headers["Content-Type"], *(headers.get(f"Lambda-Runtime-{name}") for name in (
    "Aws-Request-Id", "Trace-Id", "Invoked-Function-Arn", "Deadline-Ms", "Client-Context",
    "Cognito-Identity", "Aws-Tenant-Id", "Invocation-Id")),
    type(headers["Lambda-Runtime-Deadline-Ms"]))
"""
EXTENSION = f"import runtime_client as client\nclient.initialize_client('agent/1')\n{CALLS}"
OURS = f"""
import importlib.util, os
spec = importlib.util.spec_from_file_location("t", {python_transport.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
client = module.Transport(os.environ["AWS_LAMBDA_RUNTIME_API"], "agent/1")
{CALLS}"""
NEXT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: one\r\n"
    b'Lambda-Runtime-Client-Context: {"a": "b: c"}\r\nLambda-Runtime-Trace-Id: Root=1;Sampled=0\r\n'
    b"Lambda-Runtime-Deadline-Ms: 1700000000123\r\nLambda-Runtime-Invoked-Function-Arn: arn:a\r\n"
    b"Content-Length: "
)
TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"


async def run(program: str) -> tuple[list[bytes], bytes]:
    """The requests of a program to a server of its own, without its port, and what it printed."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        payloads = [b"{}", b"y" * 3_000_000]
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            length = [
                int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"content-length:"
            ]
            heard.append(head + await reader.readexactly(sum(length)))
            if head.startswith(b"GET"):
                payload = payloads.pop(0)
                writer.write(NEXT + b"%d\r\n\r\n%s" % (len(payload), payload))
            else:
                writer.write(TAKEN)
            if not payloads:
                break
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            env={"AWS_LAMBDA_RUNTIME_API": address},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        server.close()
    return [each.replace(address.encode(), b"HOST") for each in heard], printed


async def test_it_says_and_hears_what_the_extension_does() -> None:
    expected, expected_print = await run(EXTENSION)
    said, printed = await run(OURS)
    assert len(said) == 6
    assert said == expected
    assert printed == expected_print


@pytest.mark.parametrize(
    ("answer", "call", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "next", "get next"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "result", "post invocation response"),
        (b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", "error", "post invocation error"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "next", "get next"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "next", "get next"),
        (b"", "result", "post invocation response"),
    ],
)
async def test_another_answer_than_it_should_be_is_an_error(
    answer: bytes, call: str, words: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = python_transport.Transport(f"127.0.0.1:{port}", "agent/1")
        calls = {
            "next": client.next,
            "result": lambda: client.post_invocation_result("id", b"", "text/plain"),
            "error": lambda: client.post_error("id", "", ""),
        }

        def ask() -> None:
            calls[call]()
            client.next()  # with which an answer is sent

        with pytest.raises(RuntimeError, match=f"Failed to {words}"):
            await asyncio.to_thread(ask)
        server.close()


async def test_it_imports_nothing_that_a_function_could_change() -> None:
    source = await asyncio.to_thread(Path(python_transport.__file__).read_text)
    imported = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert imported == ["from __future__ import annotations", "import _socket"]
