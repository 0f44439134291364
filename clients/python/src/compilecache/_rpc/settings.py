"""How to reach a daemon, and what it says before it answers: what both clients share."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compilecache._daemon.address import default_address
from compilecache.v1 import cache_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # The daemon is on this node or near; a proxy that is meant for the internet is not the way.
    ("grpc.enable_http_proxy", 0),
    # A daemon that hangs or is cut off ends the call, also while nothing is to be sent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


SERVICE = pb.DESCRIPTOR.services_by_name["CacheService"].full_name
_operation_id_key = "compilecache-operation-id"


@dataclass(frozen=True)
class ConnectionSettings:
    """Where a client's daemon is, and what its calls use unless they say otherwise."""

    address: str
    namespace: str
    metadata: tuple[tuple[str, str], ...]
    timeout_seconds: float | None

    def call_timeout_seconds(self, asked: float | None, otherwise: float | None) -> float | None:
        """Return the time-out of a call: what it asks, else the client's, else `otherwise`."""
        for seconds in (asked, self.timeout_seconds, otherwise):
            if seconds is not None:
                return None if math.isinf(seconds) else seconds
        return None


def connection_settings(
    address: str | None,
    namespace: str | None,
    token: str | None,
    timeout_seconds: float | None,
) -> ConnectionSettings:
    """Return a client's settings, with the environment's where an argument is None."""
    if token is None:
        token = os.environ.get("COMPILE_CACHE_TOKEN")
    if namespace is None:
        namespace = os.environ.get("COMPILE_CACHE_NAMESPACE", "")
    return ConnectionSettings(
        address=address or default_address(),
        namespace=namespace,
        metadata=(("authorization", f"Bearer {token}"),) if token else (),
        timeout_seconds=timeout_seconds,
    )


def operation_id_in(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """Return the id of the transfer that a call waits for; an older daemon does not send it."""
    for key, value in metadata:
        if key == _operation_id_key and isinstance(value, str):
            return value
    return None


def serialize(request: pb.LoadRequest | pb.SaveRequest) -> bytes:
    """Return a request as it is sent."""
    return request.SerializeToString()
