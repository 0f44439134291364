"""`compilecache run`: a command with its compile cache, loaded before and saved after its start."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from compilecache._base.deadlines import load_deadline_seconds, save_deadline_seconds
from compilecache._base.readiness import file_mark
from compilecache.commands.say import say, tell
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
    grace_seconds: float = 10
    """How long after a SIGTERM this process is killed."""


def run_plan(plan: Plan) -> int:
    """Load, run the command, save when it is ready or else has ended; return its exit code.

    128 and the number for a signal; 126 or 127 where the command cannot be started or found. Ends
    in time after a SIGTERM, which the command gets first. What the cache does changes nothing.
    """
    os.environ.update(plan.environment)
    supervisor = Supervisor(plan.grace_seconds)
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
        return _cannot_start(plan.command, error)
    if not plan.ready_url and not plan.ready_file:
        exit_code = supervisor.wait_for_command(command)
        _save_at_the_end(supervisor, save)
        return exit_code
    saving = _start(supervisor, save)
    exit_code = supervisor.wait_for_command(command)
    if saving is not None:
        supervisor.end_helper(saving, save_deadline_seconds(None) + _spare_seconds)
        if supervisor.was_waiting(saving):
            _save_unready(supervisor, save, exit_code)
    return exit_code


def run_alone(command: Sequence[str], grace_seconds: float) -> int:
    """Run a command as `run_plan` does, without a cache."""
    supervisor = Supervisor(grace_seconds)
    try:
        return supervisor.wait_for_command(supervisor.start(command, os.environ))
    except OSError as error:
        return _cannot_start(command, error)


def _cannot_start(command: Sequence[str], error: OSError) -> int:
    say(f"{command[0]}: {error.strerror}")
    return _exit_code_not_found if isinstance(error, FileNotFoundError) else _exit_code_not_started


def _save_unready(supervisor: Supervisor, save: Step, exit_code: int) -> None:
    """Save after a command that was never found to be ready, unless it failed before that."""
    what = save.ready_url or save.ready_file
    if exit_code != 0 and not supervisor.was_told_to_end:
        say(f"nothing saved: the command failed before it was ready ({what})")
        return
    tell(f"the command has ended, and was not found to be ready ({what})")
    _save_at_the_end(supervisor, replace(save, ready_url="", ready_file=""))


def _save_at_the_end(supervisor: Supervisor, save: Step) -> None:
    seconds = save_deadline_seconds(None)
    left = supervisor.seconds_left()
    if left is not None:
        seconds = min(seconds, left - _least_save_seconds)
    if seconds < _least_save_seconds:
        say("nothing saved: no time was left after SIGTERM (--grace-seconds)")
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
        say(f"no {step.operation}, for it cannot be started: {reason}")
        return None


def _default_grace_seconds() -> float:
    # What Kubernetes and Docker give, where nobody says otherwise.
    return 30 if os.environ.get("KUBERNETES_SERVICE_HOST") else 10


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what all commands of this kind take: how readiness shows, whose cache, the command."""
    parser.add_argument("--namespace", help="whose cache (default: COMPILE_CACHE_NAMESPACE)")
    parser.add_argument("--ready-url", metavar="URL", help="save once GET of this gives 200")
    parser.add_argument("--ready-file", metavar="PATH", help="save once this file is there")
    parser.add_argument(
        "--grace-seconds",
        metavar="N",
        type=float,
        default=_default_grace_seconds(),
        help="how long after SIGTERM this is killed (default: 30 in Kubernetes, else 10)",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command")


def command_of(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """Return the command without the dashes before it; ends the program where there is none."""
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        parser.error("there is no command to run: give one after --")
    return command
