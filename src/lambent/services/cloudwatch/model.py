"""What CloudWatch stores.

| collection | partition | sort | value |
| --- | --- | --- | --- |
| cloudwatch.metrics | account/region | the metric's path | `Listed` |
| cloudwatch.points | the metric's key | resolution, time, unit | `core.distribution.Plain` |
| cloudwatch.alarms | account/region | name | `Alarm` |
| cloudwatch.history | account/region | name, time, number | `HistoryItem` |
| cloudwatch.dashboards | account | name | `Dashboard` |
| cloudwatch.looked | | | the last minute in which a node looked at depths |

The path of a metric is its namespace, name and dimensions, so that a scan gives them in order.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

METRICS: Final = "cloudwatch.metrics"
POINTS: Final = "cloudwatch.points"
ALARMS: Final = "cloudwatch.alarms"
HISTORY: Final = "cloudwatch.history"
DASHBOARDS: Final = "cloudwatch.dashboards"
LOOKED: Final = "cloudwatch.looked"

UNITS: Final = (
    *("Seconds", "Microseconds", "Milliseconds"),
    *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
    *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count"),
    *("Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second"),
    *("Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second"),
    *("Gigabits/Second", "Terabits/Second", "Count/Second", "None"),
)
STATES: Final = ("OK", "ALARM", "INSUFFICIENT_DATA")

Dimensions = tuple[tuple[str, str], ...]


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """A metric that has data. `seen` is when data last came, to the hour (seconds since the
    epoch); dimensions are in order of their names."""

    namespace: str
    name: str
    dimensions: Dimensions
    seen: float

    def wire(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
        }


class Alarm(msgspec.Struct, frozen=True, array_like=True):
    """A metric or composite alarm. `settings` are the parameters it was put with. Times in
    seconds since the epoch: `changed` is when the state was last written, `transitioned` when
    it last became another."""

    name: str
    settings: dict[str, Any]
    configured: float
    state: str = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    changed: float = 0.0
    transitioned: float = 0.0
    tags: dict[str, str] = {}
    composite: bool = False


class HistoryItem(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened to an alarm; `data` is JSON."""

    name: str
    kind: str
    at: float
    summary: str
    data: str
    composite: bool = False


class Dashboard(msgspec.Struct, frozen=True, array_like=True):
    """A dashboard: its body is JSON as it was given."""

    name: str
    body: str
    modified: float


encode: Final = msgspec.msgpack.Encoder().encode
decode_listed: Final = msgspec.msgpack.Decoder(Listed).decode
decode_alarm: Final = msgspec.msgpack.Decoder(Alarm).decode
decode_history: Final = msgspec.msgpack.Decoder(HistoryItem).decode
decode_dashboard: Final = msgspec.msgpack.Decoder(Dashboard).decode


def scope(account: str, region: str) -> bytes:
    """The partition of what an account has in a region."""
    return f"{account}/{region}".encode()


def path(namespace: str, name: str, dimensions: Dimensions) -> bytes:
    """A metric's place among all of its account and region."""
    parts = [namespace, name, *(part for pair in dimensions for part in pair)]
    return "\0".join(parts).encode()


def key(account: str, region: str, place: bytes) -> bytes:
    """The partition of a metric's points."""
    whole = scope(account, region) + b"\0" + place
    return hashlib.blake2b(whole, digest_size=16).digest()
