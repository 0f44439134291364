"""`b10-compile-cache`: what b10-transfer 0.4.1 runs beside a vLLM server, by the same rules."""

from __future__ import annotations

import logging
import os

from compilecache._calls.vllm_cache import save_vllm_compile_cache


def main() -> None:
    """Do so as a program, which logs to stderr at B10_TRANSFER_CLI_LOGLEVEL (default INFO)."""
    level = getattr(logging, os.environ.get("B10_TRANSFER_CLI_LOGLEVEL", "INFO").upper(), None)
    logging.basicConfig(
        level=level if isinstance(level, int) else logging.INFO,
        format="%(asctime)s | %(levelname)s | %(message)s",
    )
    save_vllm_compile_cache()


if __name__ == "__main__":
    main()
