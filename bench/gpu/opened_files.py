"""As sitecustomize.py on the path, log the cache files that a Python process and its children open.

OPENED_LOG names the log: one path a line, relative to OPENED_ROOT.
"""

import os
import sys

_root = os.environ.get("OPENED_ROOT", "") + "/"
_log = os.environ.get("OPENED_LOG")
_seen = set()
_busy = False


def _note(event, args):
    global _busy
    if event != "open" or _busy or not isinstance(args[0], (str, bytes)):
        return
    path = os.fsdecode(args[0])
    mode = args[1]
    if not path.startswith(_root) or path in _seen or (mode and "r" not in mode):
        return
    _seen.add(path)
    _busy = True
    try:
        fd = os.open(_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(fd, (path[len(_root) :] + "\n").encode())
        os.close(fd)
    finally:
        _busy = False


if _log and len(_root) > 1:
    sys.addaudithook(_note)
