"""What was logged in a test."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def log_of(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> str:
    """Everything of this level or above, a line each."""
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= level)
