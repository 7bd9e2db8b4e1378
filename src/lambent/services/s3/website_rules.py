"""Where a website's request leads: index documents and redirects. Pure.

Source: "Hosting a static website using Amazon S3", "Configuring an index document" and
"(Optional) Configuring a webpage redirect".
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

Document = Mapping[str, Any]


def index_key(path: str, website: Document) -> str:
    """The key that a decoded path names; a folder's is its index document's."""
    key = path.removeprefix("/")
    if key == "" or key.endswith("/"):
        return key + str(website["IndexDocument"]["Suffix"])
    return key


def routed(website: Document, key: str, status: int | None) -> Document | None:
    """The redirect of the first routing rule that fits: before anything is looked for
    (`status` None), or once that failed."""
    for rule in website.get("RoutingRules", ()):
        condition = rule.get("Condition", {})
        wanted = condition.get("HttpErrorCodeReturnedEquals")
        if (wanted is None) != (status is None) or (wanted is not None and int(wanted) != status):
            continue
        if key.startswith(condition.get("KeyPrefixEquals", "")):
            found: Document = rule
            return found
    return None


def redirect(rule: Document, key: str, host: str) -> tuple[int, str]:
    """Status and location of a routing rule's redirect; `host` is where the request went."""
    target = rule["Redirect"]
    if "ReplaceKeyWith" in target:
        key = target["ReplaceKeyWith"]
    elif "ReplaceKeyPrefixWith" in target:
        prefix = rule.get("Condition", {}).get("KeyPrefixEquals", "")
        key = target["ReplaceKeyPrefixWith"] + key.removeprefix(prefix)
    protocol = target.get("Protocol", "http")
    place = f"{protocol}://{target.get('HostName', host)}/{quote(key, safe='/~')}"
    return int(target.get("HttpRedirectCode", 301)), place


def redirect_all(website: Document, path: str) -> str | None:
    """Where a website that redirects everything sends a path (encoded); None for another."""
    target = website.get("RedirectAllRequestsTo")
    if target is None:
        return None
    return f"{target.get('Protocol', 'http')}://{target['HostName']}{path}"


def error_page(title: str, members: Mapping[str, str]) -> bytes:
    """S3's own page for an error; `title` is the status ("404 Not Found")."""
    lines = "".join(f"<li>{name}: {escape(value)}</li>\n" for name, value in members.items())
    return (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n"
        f"{lines}</ul>\n<hr/>\n</body>\n</html>\n"
    ).encode()
