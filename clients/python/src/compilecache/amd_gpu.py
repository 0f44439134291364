"""The machine's AMD GPUs, by what the kernel says of them."""

from __future__ import annotations

from pathlib import Path

from compilecache.gpu import Gpu

_nodes = Path("/sys/class/kfd/kfd/topology/nodes")


def list_amd_gpus() -> list[Gpu]:
    """Return the GPUs that this process may use, in the driver's order."""
    nodes = sorted(_nodes.glob("[0-9]*"), key=lambda node: int(node.name))
    targets = [_target(node) for node in nodes]
    return [Gpu("", target) for target in targets if target]


def _target(node: Path) -> str | None:
    """Return a target such as gfx90a, and None for a CPU and for what we may not read."""
    try:
        lines = (node / "properties").read_text().splitlines()
    except OSError:
        return None
    properties = dict(line.split(maxsplit=1) for line in lines if " " in line)
    version = int(properties.get("gfx_target_version", "0"))
    if not version:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
