"""Runs model.py twice, each time in a fresh process with an empty local directory.

    pip install torch compilecache[server]
    python examples/pytorch/twice.py

The first time compiles and saves; the second one loads.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

model = Path(__file__).with_name("model.py")

with tempfile.TemporaryDirectory() as directory:
    for number, name in enumerate(["without a cache", "with the cache of the first"]):
        environment = {
            **os.environ,
            "COMPILE_CACHE_STORE": Path(directory, "store").as_uri(),
            "TORCHINDUCTOR_CACHE_DIR": str(Path(directory, f"local-{number}")),
        }
        print(f"{name}:", flush=True)
        ended = subprocess.run([sys.executable, str(model)], env=environment)
        if ended.returncode != 0:
            sys.exit(ended.returncode)
