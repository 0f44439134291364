"""Saves and loads through the daemon that the wheel brings, and says where that ran.

Arguments: the local directory, and the Node that is to run it.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import compilecache
from compilecache import LoadStatus, SaveStatus

local, node = Path(sys.argv[1]), sys.argv[2]
assert shutil.which("node") is None, "this is to run where no Node is on the path"


def content() -> "dict[str, bytes]":
    return {str(path): path.read_bytes() for path in local.rglob("*") if path.is_file()}


assert compilecache.load_compile_cache() == LoadStatus.DOES_NOT_EXIST
(local / "kernels").mkdir(parents=True)
for number in range(5):
    # More than two frames of the archive, for the Node of the wheel reads but one at a time.
    path = local / "kernels" / f"kernel-{number}"
    path.write_bytes(os.urandom(1000) * 16_000)
    os.utime(path, (1_700_000_000, 1_700_000_000))
before = content()
assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
assert compilecache.clear_local_cache()
assert content() == {}
assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
assert content() == before

# An archive of another tool, in several frames.
assert compilecache.load_compile_cache(namespace="foreign", if_local_exists="replace") == (
    LoadStatus.SUCCESS
)
assert [path.name for path in local.iterdir()] == ["foreign"]

programs = {
    int(link.parent.name): os.readlink(link)
    for link in Path("/proc").glob("[0-9]*/exe")
    if os.access(link, os.R_OK)
}
daemons = [pid for pid, program in programs.items() if program == node]
assert daemons, f"{node} does not run: {programs}"
for pid in daemons:
    os.kill(pid, signal.SIGTERM)
print("the round trip is done")
