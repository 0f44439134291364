"""`compilecache env`: what caches depend on here, and where each part of it comes from."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from compilecache._environment.detect import detect_environment
from compilecache._environment.root import INDUCTOR, environment_of_root
from compilecache.environment import Environment
from compilecache.exceptions import CacheValidationError

_description = """\
Print the environment that torch has here, which names its caches: environment
key, cache key, and each component with where it comes from. torch is not
imported. Other commands take what it prints: --key takes the environment key,
--environment-file the output of --json."""
_examples = """\
Examples:
  compilecache env
  compilecache load --key "$(compilecache env --key)" --dir /tmp/cache
  compilecache env --json > environment.json
  compilecache info --environment-file environment.json"""


def add_env_options(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    parser.description = _description
    parser.epilog = _examples
    parser.add_argument(
        "--root",
        metavar="NAME",
        default=INDUCTOR,
        help="the directory of another compiler, such as vllm",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON for programs")
    output.add_argument("--key", action="store_true", help="print the environment key alone")


def print_environment(options: argparse.Namespace) -> int:
    """Print it, and return the exit code."""
    try:
        environment = environment_of_root(detect_environment(), options.root)
        components = environment.components()
    except CacheValidationError as error:
        why = _why_not(error)
        if options.json:
            failure: dict[str, Any] = {
                "code": "FAILED_PRECONDITION",
                "message": why,
                "violations": [],
            }
            print(json.dumps({"error": failure}))
        else:
            print(f"compilecache: {why}", file=sys.stderr)
        return 1
    if options.key:
        print(environment.key())
    elif options.json:
        print(json.dumps(environment_report(environment)))
    else:
        print(_as_text(environment, components))
    return 0


def _why_not(error: CacheValidationError) -> str:
    if importlib.util.find_spec("torch") is not None:
        return str(error)
    return f"torch is not installed for {sys.executable}; name the Python that has it with --python"


def environment_report(environment: Environment) -> dict[str, Any]:
    """Return what `--json` prints, which `--environment-file` takes."""
    return {
        "environment_key": environment.key(),
        "cache_key": environment.cache_key(),
        "environment": {
            "torch_version": environment.torch_version,
            "cuda_version": environment.cuda_version,
            "compute_capability": environment.compute_capability,
            "triton_version": environment.triton_version,
            "extra": dict(environment.extra),
        },
        "components": [
            {"name": name, "value": value, "source": _source_of(name, environment)}
            for name, value in environment.components().items()
        ],
        "python": sys.executable,
    }


def _as_text(environment: Environment, components: dict[str, str]) -> str:
    widths = [max(map(len, column)) for column in (components.keys(), components.values())]
    rows = [
        f"{name:<{widths[0]}}  {value:<{widths[1]}}  {_source_of(name, environment)}"
        for name, value in components.items()
    ]
    keys = [f"environment key  {environment.key()}", f"cache key        {environment.cache_key()}"]
    return "\n".join([*keys, "", *rows])


def _source_of(name: str, environment: Environment) -> str:
    """Return where a component's value comes from, for people to read."""
    gpu = f"the first GPU that {_visible_by()} leaves" if _visible_by() else "the first GPU"
    sources = {
        "torch": f"{_place_of('torch')}/version.py",
        "cuda": f"{_place_of('torch')}/version.py",
        "rocm": f"{_place_of('torch')}/version.py",
        "cc": gpu,
        "gpu": gpu,
        "gfx": gpu,
        "cpu": "torch is built without CUDA, or no GPU is visible",
        "triton": _place_of("triton") if environment.triton_version else "not installed",
        "py": sys.executable,
        "root": "--root",
        "arch": "uname",
        "isa": "ATEN_CPU_CAPABILITY" if os.environ.get("ATEN_CPU_CAPABILITY") else "the CPU",
    }
    return sources.get(name, "")


def _visible_by() -> str:
    names = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
    return next((name for name in names if os.environ.get(name)), "")


def _place_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    return str(Path(next(iter(locations)))) if locations else package
