"""Follows a save and a load as they run, while the event loop does other things.

    python examples/asyncio/follow_transfers.py DIRECTORY

saves the directory, a copy of which is loaded into DIRECTORY.copy: take one of some size.
"""

import asyncio
import sys
import time
from pathlib import Path

from compilecache import AsyncCacheClient, Environment, ensure_daemon
from compilecache.v1.transfer_pb2 import Transfer, TransferPhase


async def follow(client: AsyncCacheClient, operation_id: str) -> Transfer:
    """Print each change of a transfer, and return its final state."""
    async with client.watch(operation_id) as states:
        async for state in states:
            phase = TransferPhase.Name(state.phase).replace("TRANSFER_PHASE_", "").lower()
            done, total = state.bytes_done / 1e6, state.bytes_total / 1e6
            print(f"{state.operation_name}: {phase:12} {done:8.1f} of {total:.1f} MB")
    return state


async def count_ticks() -> None:
    """Stand in for what else the loop has to do; it is never held up for long."""
    longest = 0.0
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - before)
    finally:
        print(f"meanwhile the event loop never waited longer than {longest * 1000:.0f} ms")


async def main(directory: Path) -> None:
    """Save a directory and load it into another one."""
    # What the model-facing calls find out by themselves; any names do, here.
    environment = Environment("2.11.0", extra={"example": "asyncio"})
    copy = directory.with_name(f"{directory.name}.copy")
    ticking = asyncio.create_task(count_ticks())
    # Starting a daemon blocks for half a second. It may work below the directory that is named.
    address = await asyncio.to_thread(ensure_daemon, directory.parent)
    async with AsyncCacheClient(address) as client:
        saving = await client.save(
            environment, local_dir=directory, if_stored_exists="replace", detach=True
        )
        await follow(client, saving.transfer.operation_id)
        loading = await client.load(
            environment, local_dir=copy, if_local_exists="replace", detach=True
        )
        await follow(client, loading.transfer.operation_id)
    ticking.cancel()
    await asyncio.wait([ticking])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).absolute()))
