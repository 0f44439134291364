"""`b10_transfer` by compilecache: the calls of b10-transfer 0.0.2 and 0.4.1 under their names.

A module, so that where the real package of this name lies beside it, Python imports that.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

import compilecache
from compilecache import (
    AsyncTransferStatus,
    CacheError,
    CacheOperationInterrupted,
    CacheValidationError,
    LoadStatus,
    OperationStatus,
    SaveStatus,
    TransferProgress,
    TransferStatus,
    cancel_transfer,
    clear_local_cache,
    get_b10_logger,
    get_cache_info,
    get_transfer_status,
    is_transfer_complete,
    list_active_transfers,
    list_available_caches,
    load_compile_cache,
    load_compile_cache_async,
    save_compile_cache,
    save_compile_cache_async,
    start_transfer_async,
    transfer,
    wait_for_completion,
)

if TYPE_CHECKING:
    from compilecache import save_vllm_compile_cache

__version__ = "0.1.0"

__all__ = [
    "AsyncTransferStatus",
    "CacheError",
    "CacheOperationInterrupted",
    "CacheValidationError",
    "LoadStatus",
    "OperationStatus",
    "SaveStatus",
    "TransferProgress",
    "TransferStatus",
    "cancel_transfer",
    "clear_local_cache",
    "get_b10_logger",
    "get_cache_info",
    "get_transfer_status",
    "is_transfer_complete",
    "list_active_transfers",
    "list_available_caches",
    "load_compile_cache",
    "load_compile_cache_async",
    "save_compile_cache",
    "save_compile_cache_async",
    "save_vllm_compile_cache",
    "start_transfer_async",
    "transfer",
    "wait_for_completion",
]


def __getattr__(name: str) -> object:
    """Return what else compilecache has; it imports some of it late."""
    try:
        return getattr(compilecache, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def _refuse_to_shadow() -> None:
    """Raise ImportError where the real b10-transfer is installed, and this came before it."""
    try:
        version = importlib.metadata.version("b10-transfer")
    except importlib.metadata.PackageNotFoundError:
        return
    raise ImportError(
        f"b10-transfer {version} is installed, and compilecache-b10-transfer does not take its "
        "place. Run `pip uninstall b10-transfer` to have compilecache under this name, or "
        "`pip uninstall compilecache-b10-transfer` to have the real one"
    )


_refuse_to_shadow()
