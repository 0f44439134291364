"""The one error that calls to the daemon end in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from compilecache.exceptions import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc
    from google.rpc.status_pb2 import Status

_status_key = "grpc-status-details-bin"


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that is wrong: its path in the request, and what would be right."""

    field: str
    description: str


class CacheServiceError(CacheError):
    """Why a call failed, or a transfer.

    `code` is the name of a canonical gRPC code, such as "NOT_FOUND". `reason` is the service's own
    word, such as "CACHE_NOT_FOUND", and None where no service said anything: nobody answered, the
    call was cancelled, or its time ran out. `violations` names each wrong field of a request that
    was refused as "INVALID_REQUEST".
    """

    def __init__(
        self,
        code: str,
        reason: str | None,
        message: str,
        violations: Iterable[FieldViolation] = (),
    ) -> None:
        """Keep all parts as `args`, so that the error survives pickling."""
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        super().__init__(code, reason, message, self.violations)

    def __str__(self) -> str:
        """Return the reason, or else the code, and the message."""
        return f"{self.reason or self.code}: {self.message}"


def invalid_request(violations: Iterable[FieldViolation]) -> CacheServiceError:
    """Return the error for a request that is refused here, as the service would word it."""
    found = tuple(violations)
    message = "; ".join(f"{violation.field}: {violation.description}" for violation in found)
    return CacheServiceError("INVALID_ARGUMENT", "INVALID_REQUEST", message, found)


def error_from_status(status: Status) -> CacheServiceError:
    """Return the error that a `google.rpc.Status` describes, such as that of a failed transfer."""
    # Whoever has a status to read has gRPC; who only wants the class is spared its import.
    import grpc
    from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

    info = ErrorInfo()
    request = BadRequest()
    for detail in status.details:
        # Unpack leaves a message alone that the detail is not.
        detail.Unpack(info)
        detail.Unpack(request)
    violations = [FieldViolation(v.field, v.description) for v in request.field_violations]
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    code = names.get(status.code, "UNKNOWN")
    return CacheServiceError(code, info.reason or None, status.message, violations)


def error_from_rpc(error: grpc.RpcError, address: str) -> CacheServiceError:
    """Return what a call to the daemon at `address` ended in."""
    from google.rpc.status_pb2 import Status

    # A tuple of pairs, or what behaves like one; the type stubs know neither.
    metadata = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in metadata:
        if key == _status_key and isinstance(value, bytes):
            return error_from_status(Status.FromString(value))
    code = error.code().name
    message = error.details() or ""
    # What comes without details comes from gRPC itself.
    if code == "UNAVAILABLE":
        message = f"no daemon answers at {address}: {message}"
    return CacheServiceError(code, None, message)
