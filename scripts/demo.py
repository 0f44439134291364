"""The Python client's turn in the demo: saves a directory, clears it, loads it back.

Usage: demo.py ADDRESS LOCAL_DIR. The demo itself, demo.ts, starts the daemon and compares.
"""

import sys

from compilecache import CacheClient, Environment
from compilecache.v1 import transfer_pb2 as pb

address, local_dir = sys.argv[1:]
environment = Environment("2.11.0", "13.0", "9.0", "3.6.0", extra={"py": "3.12"})


def follow(client, title, operation_id):
    """Print a transfer's progress at each quarter; return its final state."""
    print(f"  {title}", flush=True)
    shown = 0
    for transfer in client.watch(operation_id):
        quarter = transfer.bytes_total and transfer.bytes_done * 4 // transfer.bytes_total
        if quarter > shown:
            shown = quarter
            done, total = transfer.bytes_done / 1e6, transfer.bytes_total / 1e6
            print(
                f"         {quarter * 25:3} %  {done:.1f} MB of {total:.1f} MB,"
                f" {transfer.files_done} of {transfer.files_total:,} files",
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
    smaller = saved.bytes_total / archive
    print(f"         done in {seconds:.1f} s: one archive of {archive / 1e6:.2f} MB, ", end="")
    print(f"{smaller:.0f} times smaller")

    cleared = client.clear_local_cache(local_dir=local_dir)
    print(f"  clear  {cleared.file_count:,} files removed")

    started = client.load(environment, local_dir=local_dir, detach=True)
    _, seconds = follow(client, "load   store -> local directory", started.transfer.operation_id)
    print(f"         done in {seconds:.1f} s")
