from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING

from compilecache import CacheServiceError
from compilecache.logger import logger

if TYPE_CHECKING:
    import pytest

_hostile = "a\n\x1b[31m\x9b1m\u202eb größe 漢字 👍"
_shown = "a\\n\\u001b[31m\\u009b1m\\u202eb größe 漢字 👍"


def test_an_error_s_message_commands_no_terminal() -> None:
    error = CacheServiceError("INTERNAL", None, _hostile)
    assert str(error) == f"INTERNAL: {_shown}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_line_of_the_log_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logger.info("loaded %s", _hostile)
    assert caplog.messages == [f"loaded {_shown}"]
