"""Writes graph-entry.json: pickles with absolute paths in them, as Python makes them in two places.

torch's FX graph entries are such pickles: small values in frames, large ones between them, and
paths that are written out once and referred to from then on. Python's own pickler begins a frame
after 64 KiB or a large value; two more begin one with each value, or none.
"""

import base64
import io
import json
import pickle
import zlib
from pathlib import Path


def entry(root):
    """Make a value with paths below a directory."""
    source = f"{root}/qv/{'c' * 52}.py"
    deep = f"{root}/{'d' * 235}/x.py"
    return {
        "source_code": f"# kernel path: /old/cache/qv/x.py\n{'x' * 5000}",
        "payload": b"/old/cache/qv/x.py " * 5000,
        "filename": source,
        "again": [source, source],
        "local_cache": ("backend", f"{root}/qv/{'0' * 64}.best_config"),
        "deep": deep,
        "ümlaut": f"{root}/ü.py",
        "large": b"x" * 100_000,
        "after": f"{root}/after.py",
        f"{root}/key": {f"{root}/\ufffd.py"},
        "others": [
            "/old/cache",
            "/old/cache-2/x.py",
            "/old/cached/x.py",
            "old/cache/x.py",
        ],
        "surrogate": "/old/cache/\ud800",
        "buffer": bytearray(b"/old/cache/x.py"),
    }


def pickled(value, frames):
    """Pickle a value with a frame for each value in it, or without frames."""
    file = io.BytesIO()
    pickler = pickle._Pickler(file, 5)
    framer = pickler.framer
    commit = framer.commit_frame
    if frames:
        framer.commit_frame = lambda force=False: commit(force=True)
    else:
        framer.start_framing = framer.end_framing = lambda: None
    pickler.dump(value)
    return file.getvalue()


writers = {
    "protocol 4": lambda value: pickle.dumps(value, 4),
    "protocol 5": lambda value: pickle.dumps(value, 5),
    "many frames": lambda value: pickled(value, frames=True),
    "no frames": lambda value: pickled(value, frames=False),
}
vectors = {
    writer: {
        root: base64.b64encode(zlib.compress(write(entry(root)), 9)).decode()
        for root in ("/old/cache", "/a/longer/place")
    }
    for writer, write in writers.items()
}
Path(__file__).with_suffix(".json").write_text(json.dumps(vectors, indent=2) + "\n")
