"""The command line of this package: `compilecache`, or `python -m compilecache`.

`run` and `env` are done here, in the Python that has torch; all other commands by the daemon's
program, of which this is another door.
"""

from __future__ import annotations

import argparse
import os
import sys

from compilecache.commands.another_python import add_python_option, continue_in
from compilecache.commands.env import add_env_options, print_environment
from compilecache.commands.node_program import become_node_program
from compilecache.commands.run import Plan, add_run_options, command_of, run_plan

_run_help = """\
Load the compile cache, run a command, and save what it compiled: when
--ready-url or --ready-file says that it is ready, or else when it has ended.
Signals reach the command; its exit code is that of this program, 128 and the
number for a signal. Nothing that the cache does changes that."""
_run_examples = """\
Examples:
  compilecache run -- python train.py
  compilecache run --namespace llama-8b \\
    --ready-url http://127.0.0.1:8000/health -- python serve.py"""


def main(*, in_this_python: bool = False) -> None:
    """Run the command line and end with its exit code; if asked so, in no other Python."""
    words = sys.argv[1:]
    subcommand = words[0] if words else ""
    if subcommand == "run":
        _run(words, in_this_python)
    elif subcommand == "env":
        _env(words, in_this_python)
    else:
        become_node_program(words)


def _env(words: list[str], in_this_python: bool) -> None:
    parser = _parser("env")
    add_env_options(parser)
    options = parser.parse_args(words[1:])
    if not in_this_python:
        continue_in(options.python, words)
    sys.exit(print_environment(options))


def _run(words: list[str], in_this_python: bool) -> None:
    run = _parser("run")
    run.description, run.epilog = _run_help, _run_examples
    run.add_argument(
        "--dir",
        "--local-dir",
        dest="local_dir",
        metavar="PATH",
        help="where torch keeps its cache (default: as torch has it)",
    )
    add_run_options(run)
    options = run.parse_args(words[1:])
    command = command_of(run, options.command)
    if not in_this_python:
        continue_in(options.python, words)
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


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"compilecache {command}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_python_option(parser)
    return parser


if __name__ == "__main__":
    main()
