"""How to reach a daemon: what both clients share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import grpc

from compilecache._base.deadlines import LONGEST_CALL_SECONDS
from compilecache._daemon.find import default_address
from compilecache._rpc.address import parse_address, parse_token
from compilecache._rpc.tls import TlsSettings, is_socket, require_safe_for_token, tls_settings

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # The daemon is on this node or near: proxies are for the internet.
    ("grpc.enable_http_proxy", 0),
    # A daemon that hangs or is cut off ends the call, also while nothing is to be sent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


@dataclass(frozen=True)
class ConnectionSettings:
    """Where a client's daemon is, and what its calls use unless they say otherwise."""

    address: str
    namespace: str
    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    """Holds the token, which no message may show."""
    timeout_seconds: float | None
    tls: TlsSettings | None = None

    def channel_options(self) -> list[tuple[str, str | int]]:
        """Return the options of every channel."""
        named = self.tls and self.tls.name
        name = [("grpc.ssl_target_name_override", named)] if named else []
        return [*CHANNEL_OPTIONS, *name]

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what proves either side to the other; None without encryption."""
        if self.tls is None:
            return None
        return grpc.ssl_channel_credentials(self.tls.ca, self.tls.key, self.tls.certificate)

    def call_timeout_seconds(self, asked: float | None, otherwise: float | None) -> float | None:
        """Return the time-out of a call: what it asks, else the client's, else `otherwise`.

        None for no end, which one above 2,147,483 s (24.8 days) is, too.
        """
        for seconds in (asked, self.timeout_seconds, otherwise):
            if seconds is not None:
                return None if seconds > LONGEST_CALL_SECONDS else seconds
        return None


def connection_settings(
    address: str | None,
    namespace: str | None,
    token: str | None,
    timeout_seconds: float | None,
) -> ConnectionSettings:
    """Return a client's settings, with the environment's where an argument is None.

    Raises CacheServiceError INVALID_REQUEST for an address or a token that cannot be one; a token
    is never shown.
    """
    token = parse_token(os.environ.get("COMPILE_CACHE_TOKEN", "") if token is None else token)
    if namespace is None:
        namespace = os.environ.get("COMPILE_CACHE_NAMESPACE", "").strip()
    address = parse_address((address or "").strip() or default_address())
    # The variables are about other machines: what listens on a socket of this one speaks no TLS.
    tls = None if is_socket(address) else tls_settings()
    require_safe_for_token(address, token, encrypted=tls is not None)
    return ConnectionSettings(
        address=address,
        namespace=namespace,
        metadata=(("authorization", f"Bearer {token}"),) if token else (),
        timeout_seconds=timeout_seconds,
        tls=tls,
    )
