"""Save what torch.compile built, and load it wherever the same model starts next.

    import compilecache

    compilecache.prefetch()  # before torch is imported

    status = compilecache.load_compile_cache()
    model = torch.compile(model)
    model(example)
    if status != compilecache.LoadStatus.SUCCESS:
        compilecache.save_compile_cache()

The calls of b10-transfer are here by their names: `import compilecache as b10_transfer` works.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from compilecache._calls.background_calls import (
    cancel_transfer,
    get_transfer_status,
    is_transfer_complete,
    list_active_transfers,
    load_compile_cache_async,
    save_compile_cache_async,
    wait_for_completion,
)
from compilecache._calls.file_transfers import start_transfer_async, transfer
from compilecache._calls.info import (
    detect_environment,
    get_cache_info,
    list_available_caches,
)
from compilecache._calls.load_save import (
    clear_local_cache,
    load_compile_cache,
    prefetch,
    save_compile_cache,
)
from compilecache._calls.report import CacheHits, LoadReport, report
from compilecache._daemon.start import ensure_daemon
from compilecache.environment import Environment
from compilecache.exceptions import (
    CacheError,
    CacheOperationInterrupted,
    CacheServiceError,
    CacheValidationError,
    FieldViolation,
)
from compilecache.logger import get_b10_logger
from compilecache.statuses import (
    AsyncTransferStatus,
    LoadStatus,
    OperationStatus,
    SaveStatus,
    TransferStatus,
)
from compilecache.transfer_progress import TransferProgress

if TYPE_CHECKING:
    from compilecache._calls.vllm_cache import save_vllm_compile_cache
    from compilecache.aio import AsyncCacheClient, AsyncTransferWatch
    from compilecache.client import CacheClient, TransferWatch

__version__ = "0.1.0"

__all__ = [
    "AsyncCacheClient",
    "AsyncTransferStatus",
    "AsyncTransferWatch",
    "CacheClient",
    "CacheError",
    "CacheHits",
    "CacheOperationInterrupted",
    "CacheServiceError",
    "CacheValidationError",
    "Environment",
    "FieldViolation",
    "LoadReport",
    "LoadStatus",
    "OperationStatus",
    "SaveStatus",
    "TransferProgress",
    "TransferStatus",
    "TransferWatch",
    "cancel_transfer",
    "clear_local_cache",
    "detect_environment",
    "ensure_daemon",
    "get_b10_logger",
    "get_cache_info",
    "get_transfer_status",
    "is_transfer_complete",
    "list_active_transfers",
    "list_available_caches",
    "load_compile_cache",
    "load_compile_cache_async",
    "prefetch",
    "report",
    "save_compile_cache",
    "save_compile_cache_async",
    "save_vllm_compile_cache",
    "start_transfer_async",
    "transfer",
    "wait_for_completion",
]

# The clients bring gRPC: it takes long to import, and a model that forks is better without it.
_modules = {
    "AsyncCacheClient": "compilecache.aio",
    "AsyncTransferWatch": "compilecache.aio",
    "CacheClient": "compilecache.client",
    "TransferWatch": "compilecache.client",
    "save_vllm_compile_cache": "compilecache._calls.vllm_cache",
}


def __getattr__(name: str) -> object:
    module = _modules.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)
