"""Times the calls of one package in a process of its own, around a cache that a bench has made.

usage: calls.py MODULE LOCAL_DIR

`compilecache`, or `b10_transfer`, whose calls have the same names. Prints a line of JSON: milliseconds
of each call that the package has, and that has done what it is for.
"""

from __future__ import annotations

import importlib
import json
import logging
import shutil
import sys
import time

_module, _local_dir = sys.argv[1:]
logging.disable(logging.CRITICAL)
_took: dict[str, float] = {}


def _timed(name, call):
    began = time.perf_counter()
    answer = call()
    _took[name] = (time.perf_counter() - began) * 1000
    # What has failed was no such call; that of a background call is known later.
    if hasattr(answer, "name") and answer.name != "SUCCESS":
        del _took[name]
    return answer


def main() -> None:
    package = _timed("import", lambda: importlib.import_module(_module))
    _timed("save", package.save_compile_cache)
    shutil.rmtree(_local_dir)
    if hasattr(package, "prefetch"):
        _timed("prefetch", package.prefetch)
        package.load_compile_cache()
        # So that the next one is a load again.
        shutil.rmtree(_local_dir)
    _timed("load", package.load_compile_cache)
    if hasattr(package, "load_compile_cache_async"):
        shutil.rmtree(_local_dir, ignore_errors=True)
        loading = _timed("load_async", package.load_compile_cache_async)
        package.wait_for_completion(loading, 60)
        saving = _timed("save_async", package.save_compile_cache_async)
        package.wait_for_completion(saving, 60)
    print(json.dumps(_took))


main()
