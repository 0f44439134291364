"""`compilecache-vllm`: a vLLM server with its compile cache."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from compilecache._calls.vllm_cache import cache_directories
from compilecache.commands.run import Plan, add_run_options, command_of, run_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

_help = """\
Load vLLM's compile cache, run `vllm serve ...`, and save what it compiled once GET /health answers.
Its port, host and TLS are read from the command; --ready-url or --ready-file say otherwise.
VLLM_CACHE_ROOT (default ~/.cache/vllm) is the local directory, and holds TRITON_CACHE_DIR, unless
that is set."""

_any_host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}


def main() -> None:
    """Run the command line and end with the command's exit code."""
    parser = argparse.ArgumentParser(prog="compilecache-vllm", description=_help)
    add_run_options(parser)
    options = parser.parse_args()
    command = command_of(parser, options.command)
    environment = {**cache_directories()}
    if options.namespace:
        environment["COMPILE_CACHE_NAMESPACE"] = options.namespace
    local_dir = environment["VLLM_CACHE_ROOT"]
    plan = Plan(
        command,
        environment,
        # Beside its compile cache vLLM keeps files there that are no reason not to load.
        load={"local_dir": local_dir, "if_local_exists": "merge"},
        save={"local_dir": local_dir, "profile": "vllm"},
        ready_url=options.ready_url or ("" if options.ready_file else health_url(command)),
        ready_file=options.ready_file or "",
    )
    sys.exit(run_plan(plan))


def health_url(command: Sequence[str]) -> str:
    """Return where a server that this command starts answers GET /health."""
    host = _option(command, "--host") or ""
    if ":" in host and not host.startswith("["):
        host = _any_host.get(host, f"[{host}]")
    scheme = "https" if _option(command, "--ssl-certfile") else "http"
    port = _option(command, "--port") or "8000"
    return f"{scheme}://{_any_host.get(host, host)}:{port}/health"


def _option(command: Sequence[str], name: str) -> str | None:
    """Return the value of an option, the last one given, which vLLM also takes with underscores."""
    value = None
    for word, following in zip(command, [*command[1:], ""]):
        flag, equals, joined = word.partition("=")
        if flag.replace("_", "-") == name:
            value = joined if equals else following
    return value


if __name__ == "__main__":
    main()
