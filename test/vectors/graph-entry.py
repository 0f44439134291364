"""Writes graph-entry.json: pickles with absolute paths in them, as Python makes them in two places.

torch's FX graph entries are such pickles: small values in frames, large ones between them, and paths
that are written out once and referred to from then on.
"""

import base64
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
        "others": ["/old/cache", "/old/cache-2/x.py", "/old/cached/x.py", "old/cache/x.py"],
    }


def pickled(root, protocol):
    """Pickle the value that is made for a directory, and compress that."""
    return base64.b64encode(zlib.compress(pickle.dumps(entry(root), protocol), 9)).decode()


vectors = {
    f"protocol {protocol}": {
        root: pickled(root, protocol) for root in ("/old/cache", "/a/longer/place")
    }
    for protocol in (4, 5)
}
Path(__file__).with_suffix(".json").write_text(json.dumps(vectors, indent=2) + "\n")
