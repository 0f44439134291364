"""The options of a vLLM server: those on its command line, and those in its configuration file."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_encryption = ("ssl-certfile", "ssl-keyfile", "ssl-cert-reqs")
_values = ("port", "host", "uds", "api-server-count", *_encryption)
_flags = ("headless", "grpc")


def options_of(words: Sequence[str], directory: str) -> dict[str, str]:
    """Return the options that say where a server answers, by their names with dashes.

    A flag has an empty text where it is off. The command line counts before the file that it names
    with `--config`, which a path is relative to `directory` for. Raises OSError or ValueError where
    that file cannot be read.
    """
    given: dict[str, str] = {}
    config = ""
    for word, following in zip(words, [*words[1:], ""]):
        if not word.startswith("--"):
            continue
        flag, equals, joined = word[2:].partition("=")
        name = flag.replace("_", "-")
        value = joined if equals else following
        if name == "config":
            config = value
        elif name in _values:
            given[name] = value
        elif name in _flags:
            given[name] = "on"
    return {**(_read_config(os.path.join(directory, config)) if config else {}), **given}


def _read_config(path: str) -> dict[str, str]:
    text = Path(path).read_text()
    content = _parse(text)
    options = {str(key).replace("_", "-"): value for key, value in content.items()}
    return {name: _as_word(options[name]) for name in (*_values, *_flags) if name in options}


def _as_word(value: object) -> str:
    if value is None or value is False:
        return ""
    return "on" if value is True else str(value)


def _parse(text: str) -> Mapping[Any, Any]:
    try:
        yaml = import_module("yaml")
    # vLLM brings it, but may have a Python of its own.
    except ImportError:
        return _parse_plain(text)
    content: object
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    return cast("Mapping[Any, Any]", content) if isinstance(content, dict) else {}


def _parse_plain(text: str) -> dict[str, Any]:
    """Return what stands in lines `name: value` without indentation."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"""["']?([\w-]+)["']?\s*:\s+(.+?)\s*(?:\s#.*)?""", line)
        if match:
            value = re.sub(r"""^(["'])(.*)\1$""", r"\2", match[2])
            found[match[1]] = {"true": True, "false": False}.get(value.lower(), value)
    return found
