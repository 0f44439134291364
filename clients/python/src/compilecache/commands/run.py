"""`compilecache run`: a command with its compile cache, loaded before and saved after its start."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from compilecache._base.deadlines import load_deadline_seconds, save_deadline_seconds
from compilecache._base.readiness import file_mark
from compilecache.commands.step import Step
from compilecache.commands.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

_exit_code_not_found = 127
_exit_code_not_started = 126
# What a step may take beyond its deadline, which it keeps by itself.
_spare_seconds = 30.0
# Less is not worth a try.
_least_save_seconds = 1.0


@dataclass(frozen=True)
class Plan:
    """What is to be run, and how."""

    command: Sequence[str]
    environment: dict[str, str]
    """Variables that the command and the steps get, beside ours."""
    load: dict[str, Any] = field(default_factory=dict[str, Any])
    """Arguments of `load_compile_cache`."""
    save: dict[str, Any] = field(default_factory=dict[str, Any])
    """Arguments of `save_compile_cache`."""
    ready_url: str = ""
    ready_file: str = ""


def run_plan(plan: Plan) -> int:
    """Load, run the command, save when it is ready or else has ended; return its exit code.

    128 and the number for a signal; 126 or 127 where the command cannot be started or found. Ends
    within 10 s of a SIGTERM, which the command gets first. What the cache does changes nothing.
    """
    os.environ.update(plan.environment)
    supervisor = Supervisor()
    _take(supervisor, Step("load", plan.load), load_deadline_seconds(None))
    if supervisor.ended_by is not None:
        return 128 + supervisor.ended_by
    save = Step(
        "save",
        {"if_stored_exists": "refresh", **plan.save},
        ready_url=plan.ready_url,
        ready_file=plan.ready_file,
        ready_file_before=file_mark(plan.ready_file),
    )
    try:
        command = supervisor.start(plan.command, os.environ)
    except OSError as error:
        print(f"compilecache: {plan.command[0]}: {error.strerror}", file=sys.stderr)
        missing = isinstance(error, FileNotFoundError)
        return _exit_code_not_found if missing else _exit_code_not_started
    if not plan.ready_url and not plan.ready_file:
        exit_code = supervisor.wait_for_command(command)
        _save_at_the_end(supervisor, save)
        return exit_code
    saving = _start(supervisor, save)
    exit_code = supervisor.wait_for_command(command)
    if saving is not None:
        supervisor.end_helper(saving, save_deadline_seconds(None) + _spare_seconds)
    return exit_code


def _save_at_the_end(supervisor: Supervisor, save: Step) -> None:
    seconds = save_deadline_seconds(None)
    left = supervisor.seconds_left()
    if left is not None:
        seconds = min(seconds, left - _least_save_seconds)
    if seconds < _least_save_seconds:
        return
    _take(supervisor, replace(save, arguments={**save.arguments, "deadline_seconds": seconds}), 0)


def _take(supervisor: Supervisor, step: Step, seconds: float) -> None:
    seconds = max(seconds, step.arguments.get("deadline_seconds", 0)) + _spare_seconds
    helper = _start(supervisor, step)
    if helper is not None:
        supervisor.wait_for_helper(helper, seconds)


def _start(supervisor: Supervisor, step: Step) -> int | None:
    """Start a step; None where it cannot be started, which it says: the command runs without it."""
    try:
        return supervisor.start_helper("compilecache.commands.step", step.to_json())
    except OSError as error:
        reason = error.strerror or error
        print(
            f"compilecache: no {step.operation}, for it cannot be started: {reason}",
            file=sys.stderr,
        )
        return None


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what all commands of this kind take: how readiness shows, whose cache, the command."""
    parser.add_argument("--namespace", help="whose cache (default: COMPILE_CACHE_NAMESPACE)")
    parser.add_argument("--ready-url", metavar="URL", help="save once GET of this gives 200")
    parser.add_argument("--ready-file", metavar="PATH", help="save once this file is there")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command")


def command_of(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """Return the command without the dashes before it; ends the program where there is none."""
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        parser.error("there is no command to run: give one after --")
    return command
