"""`b10-compile-cache`: what b10-transfer 0.4.1 runs beside a vLLM server, by the same rules."""

from __future__ import annotations

import argparse
import logging
import os

from compilecache._calls.vllm_cache import save_vllm_compile_cache

_help = """\
Load vLLM's compile cache; where there is none, wait until the server beside
this answers (at B10_TRANSFER_VLLM_URL, every B10_TRANSFER_INTERVAL_S seconds for
B10_TRANSFER_TIMEOUT_S), and save what it has compiled. Takes no options."""


def main() -> None:
    """Do so as a program, which logs to stderr at B10_TRANSFER_CLI_LOGLEVEL (default INFO)."""
    argparse.ArgumentParser(
        "b10-compile-cache",
        description=_help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    level = getattr(logging, os.environ.get("B10_TRANSFER_CLI_LOGLEVEL", "INFO").upper(), None)
    logging.basicConfig(
        level=level if isinstance(level, int) else logging.INFO,
        format="%(asctime)s | %(levelname)s | %(message)s",
    )
    save_vllm_compile_cache()


if __name__ == "__main__":
    main()
