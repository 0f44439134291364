"""The Python client's turn in the demo: saves a directory, clears it, loads it back.

Usage: demo.py ADDRESS LOCAL_DIR. The demo itself, demo.ts, starts the daemon and compares.
"""

import sys

from compilecache import CacheClient, Environment
from compilecache.v1 import transfer_pb2 as pb

address, local_dir = sys.argv[1:]
environment = Environment("2.11.0", "13.0", "9.0", "3.6.0", extra={"py": "3.12"})


def bytes_text(count):
    """Return `72.6 MB`: three digits that matter, in powers of 1,000."""
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.5:
            break
    return f"{count:#.3g}".rstrip(".") + f" {unit}"


def count_text(count):
    """Return `1,258 files`."""
    return f"{count:,} {'file' if count == 1 else 'files'}"


def follow(client, title, operation_id):
    """Print a transfer's progress at each quarter; return its final state."""
    print(f"  {title}", flush=True)
    shown = 0
    for transfer in client.watch(operation_id):
        quarter = transfer.bytes_total and transfer.bytes_done * 4 // transfer.bytes_total
        if quarter > shown:
            shown = quarter
            done, total = (
                bytes_text(transfer.bytes_done),
                bytes_text(transfer.bytes_total),
            )
            print(
                f"         {quarter * 25:3} %  {done} of {total},"
                f" {transfer.files_done:,} of {count_text(transfer.files_total)}",
                flush=True,
            )
    if transfer.status != pb.TRANSFER_STATUS_SUCCESS:
        sys.exit(f"         failed: {transfer.error.message}")
    took = transfer.completed_at.ToDatetime() - transfer.started_at.ToDatetime()
    return transfer, took.total_seconds()


with CacheClient(address, namespace="demo-python") as client:
    started = client.save(environment, local_dir=local_dir, detach=True)
    saved, seconds = follow(
        client, "save   local directory -> store", started.transfer.operation_id
    )
    archive = saved.save.cache.archive_bytes
    times = round(saved.bytes_total / archive)
    smaller = f", {times} times smaller" if times > 1 else ""
    print(f"         done in {seconds:.1f} s: one archive of {bytes_text(archive)}{smaller}")

    cleared = client.clear_local_cache(local_dir=local_dir)
    print(f"  clear  {count_text(cleared.file_count)} removed")

    started = client.load(environment, local_dir=local_dir, detach=True)
    _, seconds = follow(client, "load   store -> local directory", started.transfer.operation_id)
    print(f"         done in {seconds:.1f} s")
