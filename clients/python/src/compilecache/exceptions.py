"""The exceptions that this package raises. A call that reports a status raises none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compilecache._harmless_text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable


class CacheError(Exception):
    """Something about a cache failed."""


class CacheValidationError(CacheError):
    """A path, a setting or an environment is not one that a cache can be kept for."""


class CacheOperationInterrupted(CacheError):  # noqa: N818 - its users know it by this name
    """A transfer was told to stop: it was cancelled, or disk space ran short.

    Raised inside a callback of `transfer` or `start_transfer_async`, between two of its steps.
    """


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that is wrong: its path in the request, and what would be right."""

    field: str
    description: str


class CacheServiceError(CacheError):
    """Why a call failed, or a transfer.

    `code` is the name of a canonical gRPC code, such as "NOT_FOUND". `reason` is the service's own
    word, such as "CACHE_NOT_FOUND", and None where the service said nothing: no daemon
    answered, the call was cancelled, or its time ran out. `violations` names each wrong field of a
    request that was refused as "INVALID_REQUEST".
    """

    def __init__(
        self,
        code: str,
        reason: str | None,
        message: str,
        violations: Iterable[FieldViolation] = (),
    ) -> None:
        """Keep all parts as `args`, so that the error survives pickling.

        What a terminal would obey in the message, which may name files, is escaped.
        """
        message = harmless(message)
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
