"""What a save left out, in words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from compilecache._base.amounts import count_text
from compilecache.logger import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compilecache._base.answers import LeftOutFiles

_words = {
    "LINK": "symbolic links",
    "UNREADABLE": "not readable",
    "TEMPORARY": "locks and temporary files",
    "NAME": "names that an archive cannot hold",
    "CHANGED": "changed or still being written",
    "SPECIAL": "sockets, pipes or devices",
}


def tell_of_left_out(left_out: Sequence[LeftOutFiles], local_dir: str) -> None:
    """Log in one line what a save left out; locks and temporary files alone are not warned of."""
    if not left_out:
        return
    count = sum(files.file_count for files in left_out)
    unusual = any(files.reason != "TEMPORARY" for files in left_out)
    logger.log(
        logging.WARNING if unusual else logging.DEBUG,
        "%s of %s left out: %s",
        count_text(count, "file"),
        local_dir,
        "; ".join(_text(files) for files in left_out),
    )


def _text(files: LeftOutFiles) -> str:
    more = ["..."] if files.file_count > len(files.examples) else []
    examples = ", ".join([*files.examples, *more])
    return f"{_words.get(files.reason, 'another reason')}: {files.file_count} ({examples})"
