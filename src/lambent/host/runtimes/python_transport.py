"""The way of the official Python client to its Runtime API: HTTP on one kept connection.

In place of the client's own extension, which links libcurl: that takes three times the
processor time for each invocation, a millisecond and 0.6 MB to load, and has to be loaded
after the fork, since it reads its address when it is loaded. Everything above it (handlers,
contexts, errors, logs) is the official client's. It says word by word what the extension says,
and raises as that does. The one server that it talks to is the node's (`host.wire`), which
always tells a body's length.

An answer waits for the client to ask for its next invocation, which it does right away: so
both go out together, and their answers are read together.

Loaded by file into the zygote; imports nothing but the standard library. The socket is the
interpreter's own: what a function does to the `socket` module does not reach it.
"""

from __future__ import annotations

import _socket

_PATH = b"/2018-06-01/runtime/invocation/"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_READ = 1 << 16
_MOST_READ = 1 << 20


class Transport:
    """What the client knows as `runtime_client`. `address` is HOST:PORT."""

    def __init__(self, address: str, agent: str) -> None:
        host, _, port = address.partition(":")
        self._address = (host, int(port))
        self._socket: _socket.socket | None = None
        self._received = b""
        self._unsent = b""
        self._posted: list[str] = []
        self._agent = f"User-Agent: {agent}\r\n".encode()
        self._version = f" HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n".encode()
        self._next = b"GET %snext%s%s\r\n" % (_PATH, self._version, self._agent)

    def next(self) -> tuple[bytes, dict[str, str | int]]:
        """The next invocation: its payload, and the answer's headers. RuntimeError when there
        is none, or what was posted before was not taken."""
        what = self._posted[0] if self._posted else "get next"
        try:
            connection = self._socket or self._connect()
            connection.sendall(self._unsent + self._next)
            self._unsent = b""
            for what in (*self._posted, "get next"):
                status, headers, body = self._read(connection)
                if not 200 <= status < 300:
                    raise RuntimeError(f"Failed to {what}")
        except OSError as error:
            raise RuntimeError(f"Failed to {what}") from error
        self._posted.clear()
        told: dict[str, str | int] = {**headers}
        told[_DEADLINE] = int(headers[_DEADLINE])
        return body, told

    def post_invocation_result(
        self, invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None
    ) -> None:
        """An invocation's answer."""
        what = "post invocation response"
        self._post(invoke_id, b"response", content_type, "", invocation_id, result, what)

    def post_error(
        self, invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None
    ) -> None:
        """An invocation's error, as JSON, and what X-Ray is to be told of it."""
        cause = f"lambda-runtime-function-xray-error-cause: {xray_fault}\r\n" if xray_fault else ""
        what = "post invocation error"
        body = error.encode()
        self._post(invoke_id, b"error", "application/json", cause, invocation_id, body, what)

    def _post(
        self,
        invoke_id: str,
        action: bytes,
        content_type: str,
        cause: str,
        invocation_id: str | None,
        body: bytes,
        what: str,
    ) -> None:
        same = f"lambda-runtime-invocation-id: {invocation_id}\r\n" if invocation_id else ""
        head = b"POST %s%s/%s%s%s%s%s" % (
            *(_PATH, invoke_id.encode(), action, self._version),
            f"content-type: {content_type}\r\n{cause}".encode(),
            self._agent,
            f"{same}content-length: {len(body)}\r\n\r\n".encode(),
        )
        self._unsent += head + body
        self._posted.append(what)

    def _connect(self) -> _socket.socket:
        made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        made.settimeout(None)  # whatever the function made the default
        made.connect(self._address)
        made.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._socket = made
        return made

    def _read(self, connection: _socket.socket) -> tuple[int, dict[str, str], bytes]:
        """One answer: its status, headers and body. ConnectionError when the connection ends."""
        data = self._received or _some(connection, _READ)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += _some(connection, _READ)
        status, *lines = data[:end].decode("utf-8", "replace").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name] = value
        length = int(headers["Content-Length"])
        body = data[end + 4 : end + 4 + length]
        self._received = data[end + 4 + length :]
        if missing := length - len(body):
            pieces = [body]
            while missing:
                pieces.append(_some(connection, min(missing, _MOST_READ)))
                missing -= len(pieces[-1])
            body = b"".join(pieces)
        return int(status.split(" ", 2)[1]), headers, body


def _some(connection: _socket.socket, most: int) -> bytes:
    data = connection.recv(most)
    if not data:
        raise ConnectionResetError("the Runtime API is gone")
    return data
