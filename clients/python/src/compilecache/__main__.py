"""The command line of this package: `compilecache run -- CMD...`, or `python -m compilecache`."""

from __future__ import annotations

import argparse
import os
import sys

from compilecache.commands.run import Plan, add_run_options, command_of, run_plan

_run_help = """\
Load the compile cache, run a command, and save what it compiled: when --ready-url or --ready-file
says that it is ready, or else when it has ended. Signals reach the command; its exit code is that
of this program, 128 and the number for a signal. Nothing that the cache does changes that."""


def main() -> None:
    """Run the command line and end with its exit code."""
    parser = argparse.ArgumentParser(prog="compilecache")
    commands = parser.add_subparsers(dest="subcommand", required=True)
    run = commands.add_parser("run", help="run a command with its cache", description=_run_help)
    run.add_argument("--local-dir", help="where torch keeps its cache (default: as torch has it)")
    add_run_options(run)
    options = parser.parse_args()
    command = command_of(run, options.command)
    environment: dict[str, str] = {}
    if options.local_dir:
        environment["TORCHINDUCTOR_CACHE_DIR"] = os.path.abspath(options.local_dir)
    if options.namespace:
        environment["COMPILE_CACHE_NAMESPACE"] = options.namespace
    plan = Plan(
        command,
        environment,
        # A start that crashed may have left a few files.
        load={"if_local_exists": "merge"},
        ready_url=options.ready_url or "",
        ready_file=options.ready_file or "",
        grace_seconds=options.grace_seconds,
    )
    sys.exit(run_plan(plan))


if __name__ == "__main__":
    main()
