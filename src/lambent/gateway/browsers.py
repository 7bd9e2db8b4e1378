"""Web pages of other sites must not use a local node. Pure.

A local node takes every credential, so a page that a developer happens to visit could send it
requests: create a function, and so run code. Browsers say where such requests come from
(Origin, Sec-Fetch-Site); they are refused unless the page itself comes from this machine.
A name that was rebound to loopback is caught by its Host. Reading from S3 is left to the
bucket's CORS configuration: it changes nothing, and without it the page sees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from lambent.core.errors import AwsError
from lambent.core.settings import is_loopback

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_OWN_SITES = frozenset(("same-origin", "same-site", "none"))


def check(headers: Mapping[str, str], service: str, method: str) -> None:
    """AwsError AccessDenied when a page of another site sent the request."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site")
    if (origin is None and site is None) or (service == "s3" and method in _SAFE):
        return
    if origin is not None:
        local = is_local(urlsplit(origin).hostname)
    else:
        local = site in _OWN_SITES and is_local(urlsplit(f"//{headers.get('host', '')}").hostname)
    if not local:
        raise AwsError(
            "AccessDenied",
            "A local node takes no requests from web pages of other sites. Serve the page from "
            "localhost, or start the node with --auth and sign the requests.",
            403,
        )


def is_local(host: str | None) -> bool:
    """Whether a name means this machine: loopback, localhost or anything below it."""
    return host is not None and (is_loopback(host) or host.endswith(".localhost"))
