"""The machine's AMD GPUs, by what the kernel says of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from compilecache._environment.gpu import Gpu

_nodes = Path("/sys/class/kfd/kfd/topology/nodes")


def list_amd_gpus() -> list[Gpu]:
    """Return the GPUs that this process may use, in the driver's order."""
    nodes = sorted(_nodes.glob("[0-9]*"), key=lambda node: int(node.name))
    return [gpu for gpu in map(_gpu, nodes) if gpu]


def _gpu(node: Path) -> Gpu | None:
    """Return a GPU with a target such as gfx90a; None for a CPU, and for what we may not read."""
    try:
        lines = (node / "properties").read_text().splitlines()
    except OSError:
        return None
    properties = dict(line.split(maxsplit=1) for line in lines if " " in line)
    version = int(properties.get("gfx_target_version", "0"))
    if not version:
        return None
    numbers = version // 10000, version // 100 % 100, version % 100
    # By this variable, ROCm treats a GPU that it does not know as one that it knows.
    pretended = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", os.environ.get("HSA_OVERRIDE_GFX_VERSION", ""))
    major, minor, stepping = map(int, pretended.groups()) if pretended else numbers
    uuid = f"GPU-{int(properties.get('unique_id', '0')):016x}"
    return Gpu("", f"gfx{major}{minor:x}{stepping:x}", uuid)
