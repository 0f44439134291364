"""`compilecache-vllm`: a vLLM server with its compile cache."""

from __future__ import annotations

import argparse
import os
import sys

from compilecache._calls.vllm_cache import vllm_cache_root
from compilecache._environment.root import VLLM
from compilecache.commands.run import Plan, add_run_options, command_of, run_alone, run_plan
from compilecache.commands.say import say, tell
from compilecache.commands.vllm_command import read_command

_help = """\
Load vLLM's compile cache, run `vllm serve ...`, and save what it compiled once GET /health answers.
Where that is, is read from the command and its --config file; where it cannot be known, as with
--headless, it is saved when the command ends. --ready-url or --ready-file say otherwise. The local
directory is vLLM's own: VLLM_CACHE_ROOT, else vllm in XDG_CACHE_HOME, else ~/.cache/vllm. Triton
keeps its kernels in triton_cache in there, unless TRITON_CACHE_DIR is set."""


def main() -> None:
    """Run the command line and end with the command's exit code."""
    parser = argparse.ArgumentParser(prog="compilecache-vllm", description=_help)
    parser.add_argument(
        "--local-dir",
        help="where vLLM is to keep its cache (default: where it does)",
    )
    add_run_options(parser)
    options = parser.parse_args()
    command = command_of(parser, options.command)
    environment: dict[str, str] = {}
    if options.local_dir:
        environment["VLLM_CACHE_ROOT"] = os.path.abspath(options.local_dir)
    if options.namespace:
        environment["COMPILE_CACHE_NAMESPACE"] = options.namespace
    start = read_command(command, {**os.environ, **environment})
    if start.variables.get("VLLM_CACHE_ROOT") == "":
        say("VLLM_CACHE_ROOT is empty, so vLLM writes where it is started: no cache; unset it")
        sys.exit(run_alone(command, options.grace_seconds))
    local_dir = vllm_cache_root(start.variables)
    environment |= _triton_place(local_dir, start.variables.get("TRITON_CACHE_DIR"))
    ready_url = options.ready_url or ("" if options.ready_file else start.ready_url)
    if ready_url or options.ready_file:
        what = f"{ready_url} gives 200" if ready_url else f"{options.ready_file} is there"
        tell(f"vLLM's cache is saved once {what}, or else when the command ends")
    else:
        tell(
            f"vLLM's cache is saved when the command ends, for {start.unknown};"
            " --ready-url URL or --ready-file PATH say when it is ready"
        )
    plan = Plan(
        command,
        environment,
        # Beside its compile cache vLLM keeps files there that are no reason not to load.
        load={"local_dir": local_dir, "if_local_exists": "merge", "root": VLLM},
        save={"local_dir": local_dir, "profile": "vllm", "root": VLLM},
        ready_url=ready_url,
        ready_file=options.ready_file or "",
        grace_seconds=options.grace_seconds,
    )
    sys.exit(run_plan(plan))


def _triton_place(root: str, given: str | None) -> dict[str, str]:
    """Return the variable that brings Triton's kernels to vLLM's, unless a place is set.

    Where vLLM could not write, Triton need not try.
    """
    if given:
        return {}
    place = os.path.join(root, "triton_cache")
    there = place
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    return {"TRITON_CACHE_DIR": place} if os.access(there, os.W_OK | os.X_OK) else {}


if __name__ == "__main__":
    main()
