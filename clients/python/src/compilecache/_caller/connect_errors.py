"""Errors of the Connect protocol, and of `google.rpc.Status` in JSON, as this package's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compilecache.exceptions import CacheServiceError, FieldViolation

if TYPE_CHECKING:
    from collections.abc import Iterable

_codes = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def error_of_answer(answer: dict[str, Any]) -> CacheServiceError:
    """Return what a call ended in."""
    code = str(answer.get("code", "unknown")).upper()
    details: list[dict[str, Any]] = answer.get("details") or []
    readable: list[dict[str, Any]] = [detail.get("debug") or {} for detail in details]
    return _error("CANCELLED" if code == "CANCELED" else code, answer, readable)


def error_of_status(status: dict[str, Any]) -> CacheServiceError:
    """Return what a transfer ended in."""
    number: int = status.get("code", 0)
    code = _codes[number] if 0 <= number < len(_codes) else "UNKNOWN"
    return _error(code, status, status.get("details") or ())


def _error(code: str, told: dict[str, Any], details: Iterable[dict[str, Any]]) -> CacheServiceError:
    reason: str | None = None
    violations: list[FieldViolation] = []
    for detail in details:
        reason = detail.get("reason") or reason
        violations.extend(
            FieldViolation(found.get("field", ""), found.get("description", ""))
            for found in detail.get("fieldViolations") or ()
        )
    return CacheServiceError(code, reason, str(told.get("message", "")), violations)
