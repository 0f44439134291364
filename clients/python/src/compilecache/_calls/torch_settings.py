"""Settings of torch and Triton under which a cache of the local directory is not the whole."""

from __future__ import annotations

import os

from compilecache._base.local_directory import torch_cache_directory
from compilecache.logger import logger

# With these torch compiles anew, whatever was loaded.
_off = {
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    "TORCH_COMPILE_FORCE_DISABLE_CACHES": "1",
    "TORCHINDUCTOR_FX_GRAPH_CACHE": "0",
}
_told: set[str] = set()


def warn_of_torch_settings(local_dir: str) -> None:
    """Log, once for each text, what keeps a load or save of `local_dir` from being of full use."""
    for text in _texts(local_dir):
        if text not in _told:
            _told.add(text)
            logger.warning("%s", text)


def _texts(local_dir: str) -> list[str]:
    texts: list[str] = []
    triton_dir = os.environ.get("TRITON_CACHE_DIR")
    # torch itself sets it to a place in its own directory.
    if triton_dir is not None and not any(
        _holds(outer, triton_dir) for outer in (local_dir, torch_cache_directory())
    ):
        texts.append(
            f"Triton's kernels are no part of this cache: TRITON_CACHE_DIR names {triton_dir!r}, "
            f"which is not in the local directory {local_dir!r}; unset it, or name a place in there"
        )
    manager = os.environ.get("TRITON_CACHE_MANAGER")
    if manager:
        texts.append(
            "Triton's kernels may be no part of this cache: TRITON_CACHE_MANAGER has them kept by "
            f"{manager}"
        )
    texts += [
        f"torch does not use what is loaded or saved: {name}={value} switches its caches off"
        for name, value in _off.items()
        if os.environ.get(name) == value
    ]
    return texts


def _holds(outer: str, inner: str) -> bool:
    outer, inner = os.path.realpath(outer), os.path.realpath(inner)
    return os.path.join(inner, "").startswith(os.path.join(outer, ""))


def forget_what_was_told() -> None:
    """Tell it again, as a new process does."""
    _told.clear()
