"""How long calls may take."""

from __future__ import annotations

import os

from compilecache.logger import logger

_load_variable = "COMPILE_CACHE_LOAD_DEADLINE_SECONDS"
_save_variable = "COMPILE_CACHE_SAVE_DEADLINE_SECONDS"

# The system's clocks take no "inf".
_longest_seconds = 365 * 24 * 3600.0

SHORT_CALL_SECONDS = 30.0
"""Of calls that move no cache."""

LONGEST_CALL_SECONDS = 2_147_483.0
"""A call's deadline that is later is none.

gRPC takes one beyond the clock's range for the past, and daemons count milliseconds in 32 bits.
"""


def load_deadline_seconds(asked: float | None) -> float:
    """Return how long a load may take: `asked`, else what the variable says, else 60 s."""
    return _deadline(asked, _load_variable, 60)


def save_deadline_seconds(asked: float | None) -> float:
    """Return how long a save may take: `asked`, else what the variable says, else 600 s."""
    return _deadline(asked, _save_variable, 600)


def _deadline(asked: float | None, variable: str, otherwise: float) -> float:
    if asked is not None:
        # In this order "nan" becomes 0.
        return min(max(0, asked), _longest_seconds)
    text = os.environ.get(variable, "")
    try:
        seconds = float(text or otherwise)
    except ValueError:
        seconds = 0
    # "nan" is a number, too, and no deadline.
    if seconds > 0:
        return min(seconds, _longest_seconds)
    logger.warning(
        "%s=%s is no number of seconds above 0; using %g", variable, text[:100], otherwise
    )
    return otherwise
