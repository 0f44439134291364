"""The directories that compilers fill, each a cache of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compilecache.environment import Environment

INDUCTOR = "inductor"
"""torch's own, whose keys have no label for it."""
VLLM = "vllm"


def environment_of_root(environment: Environment, root: str) -> Environment:
    """Return the environment by which the cache of a root is found: no two roots share a key."""
    if root == INDUCTOR:
        return environment
    return replace(environment, extra={**environment.extra, "root": root})
