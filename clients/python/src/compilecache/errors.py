"""What the service says of an error, read as one of the exceptions of `compilecache.exceptions`.

What this needs of that module can be imported from here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compilecache.exceptions import CacheServiceError, FieldViolation, invalid_request

if TYPE_CHECKING:
    from google.rpc.status_pb2 import Status

__all__ = ["CacheServiceError", "FieldViolation", "error_from_status", "invalid_request"]


def error_from_status(status: Status) -> CacheServiceError:
    """Return the error that a `google.rpc.Status` describes, such as that of a failed transfer."""
    # Here, so that the classes can be imported without protobuf.
    from google.rpc.code_pb2 import Code
    from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

    info = ErrorInfo()
    request = BadRequest()
    for detail in status.details:
        # Unpack leaves a message as it is when the detail is of another type.
        detail.Unpack(info)
        detail.Unpack(request)
    violations = [FieldViolation(v.field, v.description) for v in request.field_violations]
    code = Code.Name(status.code) if status.code in Code.values() else "UNKNOWN"
    return CacheServiceError(code, info.reason or None, status.message, violations)
