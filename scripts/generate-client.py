"""Generates the Python client for ordinary code from the one for asyncio.

`async` and `await` go, and names and a few texts change. What the two do differently with gRPC is
in `_rpc/connection.py` and `_rpc/aio_connection.py`, which people write.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

package = Path(__file__).resolve().parent.parent / "clients" / "python"
source = package / "src" / "compilecache" / "_rpc" / "aio.py"
target = source.with_name("client.py")

names = {
    "AsyncCacheClient": "CacheClient",
    "AsyncConnection": "Connection",
    "AsyncTransferWatch": "TransferWatch",
    "aio_connection": "connection",
}
texts = {
    '"""A client of the daemon for asyncio; `compilecache.client` has one for ordinary code."""': (
        '"""A client of the daemon for ordinary code; `compilecache.aio` has one for asyncio."""'
    ),
    "# client.py is generated from this file by scripts/generate-client.py.\n": (
        "# Generated from aio.py by scripts/generate-client.py: change that, then npm run generate.\n"
    ),
    """It belongs to the
    event loop that it was made in. Cancelling the task that awaits a call ends the call.
""": """Threads may share a client.
""",
    "use as an async context manager": "use as a context manager",
}


def main() -> None:
    """Write the client, as the formatter has it."""
    with tempfile.TemporaryDirectory() as directory:
        # unasync goes by folders of paths.
        copy = Path(directory, "aio", source.name)
        copy.parent.mkdir()
        shutil.copyfile(source, copy)
        rule = unasync.Rule("/aio/", "/sync/", additional_replacements=names)
        unasync.unasync_files([str(copy)], [rule])
        text = Path(directory, "sync", source.name).read_text("utf-8")
    for before, after in texts.items():
        if text.count(before) != 1:
            sys.exit(f"generate-client: {source.name} must lead to this once: {before}")
        text = text.replace(before, after)
    target.write_text(text, "utf-8")
    # Without `async` a loop can be a `yield from`, and a line may fit that did not.
    for command in ("check --fix --unsafe-fixes --select UP028,I", "format"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--quiet", str(target)]
        subprocess.run(ruff, check=True, cwd=package)


if __name__ == "__main__":
    main()
