"""`python -m compilecache.commands.check_environment`: is the environment found correctly?

Prints as JSON what is found without torch and with it, and how long each takes; ends with 1 where
they differ.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Callable

from compilecache._environment.detect import current_device, detect_environment
from compilecache.exceptions import CacheValidationError

if TYPE_CHECKING:
    from compilecache.environment import Environment


def main() -> int:
    """Print it, and return the exit code."""
    ways: dict[str, dict[str, Any]] = {"without_torch": _timed(detect_environment)}
    begun = time.perf_counter()
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError as error:
        ways["with_torch"] = {"error": str(error)}
    else:
        import_seconds = time.perf_counter() - begun
        ways["with_torch_imported"] = _timed(detect_environment)
        if torch.cuda.is_available():
            torch.cuda.init()
        ways["with_torch"] = _timed(lambda: detect_environment(current_device()))
        ways["with_torch"]["import_seconds"] = round(import_seconds, 4)
    keys = {way.get("key") for way in ways.values()}
    same = len(keys) == 1 and None not in keys
    print(json.dumps({**ways, "same": same}, indent=2))
    return 0 if same else 1


def _timed(detect: Callable[[], Environment]) -> dict[str, Any]:
    begun = time.perf_counter()
    try:
        environment = detect()
    except CacheValidationError as error:
        return {"error": str(error)}
    seconds = time.perf_counter() - begun
    key, cache_key = environment.key(), environment.cache_key()
    return {"key": key, "cache_key": cache_key, "seconds": round(seconds, 4)}


if __name__ == "__main__":
    sys.exit(main())
