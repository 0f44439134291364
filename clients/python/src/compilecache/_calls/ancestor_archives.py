"""Archives that b10-transfer has left where it kept them."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from typing import TYPE_CHECKING

from compilecache._base.amounts import count_text
from compilecache._base.background import within

if TYPE_CHECKING:
    from compilecache.environment import Environment

_archive = re.compile(r"cache_(?P<key>[^.]+)(\.(?P<host>.+))?\.latest\.tar\.gz")
# It only makes a line better.
_most_seconds = 1.0


def hint_of_ancestor_archives(environment: Environment | None) -> str:
    """Return what to say of such archives after a miss, or nothing; never raises.

    None of ours is among them: those are in directories of their namespaces. No load takes one by
    itself, for neither name nor content tell which torch and Triton it is of.
    """
    directory = os.environ.get("B10FS_CACHE_DIR", "").strip() or "/cache/model/compile_cache"
    try:
        names = within(_most_seconds, lambda: os.listdir(directory))
        found = [name for name in sorted(names) if _archive.fullmatch(name)]
        fitting = [name for name in found if environment and _fits(name, environment)]
    except Exception:
        return ""
    if not found:
        return ""
    if fitting:
        what = f"b10-transfer's {fitting[0]}, which is of this kind of machine, lies in {directory}"
    else:
        what = f"{count_text(len(found), 'archive')} of b10-transfer, for machines of another kind"
        what += f", in {directory}"
    return f"{what}; docs/from-b10-transfer.md says how to take one over"


def _fits(name: str, environment: Environment) -> bool:
    """Whether b10-transfer would load it here: 0.0.2 adds the host to the key, 0.4.1 does not."""
    parts = _archive.fullmatch(name)
    if parts is None or parts["key"] != ancestor_key(environment):
        return False
    return parts["host"] in (None, os.uname().nodename)


def ancestor_key(environment: Environment) -> str:
    """Return what both versions call a machine with a GPU, and 0.4.1 one without, of this kind."""
    facts: dict[str, str] = {
        "device_type": "cpu",
        "cpu_architecture": environment.extra.get("arch", ""),
        "platform_system": platform.system(),
    }
    if environment.cuda_version:
        facts = {
            "device_name": environment.extra.get("gpu", ""),
            "cuda_version": environment.cuda_version,
        }
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
