"""The compile cache of a vLLM server that runs beside this process."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from compilecache._base.readiness import url_probe, wait_until
from compilecache._calls.load_save import load_compile_cache, save_compile_cache
from compilecache._environment.root import VLLM
from compilecache.logger import logger
from compilecache.statuses import LoadStatus, SaveStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

_exit_code_no_wait = 1
_exit_code_never_ready = 2
_exit_code_not_saved = 3


def save_vllm_compile_cache() -> None:
    """Load vLLM's compile cache; where there is none, save it once the server is ready.

    For a server that is started beside this. The local directory is vLLM's, which torch's variable
    names from here on. The server is ready when GET of B10_TRANSFER_VLLM_URL (default
    http://127.0.0.1:8000/v1/models) gives 200, which is asked every B10_TRANSFER_INTERVAL_S
    (default 2) seconds for B10_TRANSFER_TIMEOUT_S (default 1800). Exits with 1 where waiting fails,
    2 where the server does not get ready, 3 where saving fails.
    """
    local_dir = vllm_cache_root(os.environ)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = local_dir
    if load_compile_cache(local_dir=local_dir, root=VLLM) == LoadStatus.SUCCESS:
        return
    try:
        url = os.environ.get("B10_TRANSFER_VLLM_URL", "http://127.0.0.1:8000/v1/models")
        interval_seconds = float(os.environ.get("B10_TRANSFER_INTERVAL_S", "2"))
        timeout_seconds = float(os.environ.get("B10_TRANSFER_TIMEOUT_S", "1800"))
        logger.info("waiting for vLLM at %s, for %.0f s at most", url, timeout_seconds)
        ready = wait_until(url_probe(url), interval_seconds, timeout_seconds)
    except Exception as error:
        logger.error("cannot wait for vLLM: %s", error)
        sys.exit(_exit_code_no_wait)
    if not ready:
        logger.error("vLLM was not ready at %s after %.0f s", url, timeout_seconds)
        sys.exit(_exit_code_never_ready)
    if save_compile_cache(local_dir=local_dir, profile="vllm", root=VLLM) == SaveStatus.ERROR:
        sys.exit(_exit_code_not_saved)


def vllm_cache_root(environment: Mapping[str, str]) -> str:
    """Return where vLLM keeps its cache with this environment, as an absolute path.

    VLLM_CACHE_ROOT, else `vllm` in XDG_CACHE_HOME, else ~/.cache/vllm; as vLLM's envs.py has it.
    """
    home = _expanded("~", environment)
    caches = environment.get("XDG_CACHE_HOME", os.path.join(home, ".cache"))
    root = environment.get("VLLM_CACHE_ROOT", os.path.join(caches, "vllm"))
    return os.path.abspath(_expanded(root, environment))


def _expanded(path: str, environment: Mapping[str, str]) -> str:
    # Another HOME than this process's may be meant for vLLM.
    home = environment.get("HOME")
    if home is not None and re.match(r"~(/|$)", path):
        return (home.rstrip("/") + path[1:]) or "/"
    return os.path.expanduser(path)
