"""What a call to the daemon ended in, as the one exception that clients raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from google.rpc.status_pb2 import Status

from compilecache._daemon.address import advice
from compilecache.errors import error_from_status
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

_status_key = "grpc-status-details-bin"


def error_from_rpc(error: grpc.RpcError, address: str) -> CacheServiceError:
    """Return what a call to the daemon at `address` ended in."""
    # A tuple of pairs, or what behaves like one; the type stubs know neither.
    metadata = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in metadata:
        if key == _status_key and isinstance(value, bytes):
            told = error_from_status(Status.FromString(value))
            if told.reason != "PATH_NOT_ALLOWED":
                return told
            # Which directories are allowed is a matter of which daemon is asked.
            message = f"{told.message} (the daemon at {address})"
            return CacheServiceError(told.code, told.reason, message, told.violations)
    code = error.code().name
    message = error.details() or ""
    # What comes without details comes from gRPC itself.
    if code == "UNAVAILABLE":
        what_to_do = advice(address)
        if "Permission denied" in message:
            what_to_do = ""
            message = (
                "only the user and the group of this socket may connect, and this process is "
                f"neither ({message})"
            )
        message = f"no daemon answers at {address}: {message}{what_to_do}"
    return CacheServiceError(code, None, message)
