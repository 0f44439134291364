"""A load or save by the daemon's command line, for a Python that has no grpc.

Such is one where this package is not installed, when `compilecache run` of the npm package uses it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from typing import Any

from compilecache._base.deadlines import load_deadline_seconds, save_deadline_seconds
from compilecache._base.local_directory import resolve_local_directory
from compilecache._daemon.address import configured_address
from compilecache._daemon.start import ensure_daemon
from compilecache._environment.detect import detect_environment
from compilecache._environment.root import INDUCTOR, environment_of_root
from compilecache.commands.env import environment_report
from compilecache.commands.node_program import node_command
from compilecache.exceptions import CacheServiceError, CacheValidationError
from compilecache.logger import is_quiet, logger

_needed = ("grpc", "google.protobuf", "google.rpc.status_pb2")


def has_grpc() -> bool:
    """Whether this Python can call a daemon itself: it has what pip installs with this package."""
    try:
        needed = [importlib.util.find_spec(name) for name in _needed]
    except ModuleNotFoundError:
        return False
    return None not in needed


def step_by_node(operation: str, arguments: dict[str, Any]) -> None:
    """Do it, with arguments of `load_compile_cache` or `save_compile_cache`. Never raises."""
    local_dir = resolve_local_directory(arguments.get("local_dir"))
    deadline = load_deadline_seconds if operation == "load" else save_deadline_seconds
    options = {
        "dir": local_dir,
        "timeout": str(deadline(arguments.get("deadline_seconds"))),
        "environment-file": "-",
    }
    for name in ("if_local_exists", "if_stored_exists", "profile"):
        if name in arguments:
            options[name.replace("_", "-")] = arguments[name]
    try:
        root = arguments.get("root", INDUCTOR)
        report = environment_report(environment_of_root(detect_environment(), root))
        options["address"] = configured_address() or ensure_daemon(local_dir)
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        command, environment = node_command([operation, *words])
        subprocess.run(
            command,
            env=environment,
            input=json.dumps(report),
            # Errors go to stderr.
            stdout=subprocess.DEVNULL if is_quiet() else None,
            text=True,
            check=False,
            cwd="/",
        )
    except (CacheServiceError, CacheValidationError, OSError) as error:
        logger.warning("no %s: %s", operation, error)
