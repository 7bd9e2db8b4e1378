"""Raw HTTP, for what an SDK would not send."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True)
class Answer:
    """A response, read whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass(frozen=True)
class Raw:
    """Sends requests to one node; `sign` names the service to sign for."""

    endpoint: str
    access_key: str
    secret: str = "secret"
    token: str | None = None
    region: str = "us-east-1"

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        sign: str | None = None,
    ) -> Answer:
        place = urlsplit(self.endpoint)
        sent = dict(headers or {})
        sent.setdefault("Host", place.netloc)
        if sign is not None:
            sent = self.signed(sign, method, path, body, sent)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body and not any(name.lower() == "content-length" for name in sent):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def signed(
        self, service: str, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, str]:
        """The headers with those of a SigV4 signature, by botocore."""
        request = AWSRequest(
            method, f"http://{headers['Host']}{path}", headers=dict(headers), data=body
        )
        credentials = Credentials(self.access_key, self.secret, self.token)
        SigV4Auth(credentials, service, self.region).add_auth(request)
        return dict(request.headers.items())

    def socket(self) -> socket.socket:
        """A bare connection to the node."""
        place = urlsplit(self.endpoint)
        return socket.create_connection((place.hostname, place.port), timeout=30)
