"""What a command that starts vLLM says about it: where its server answers, and its variables."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from compilecache.commands.vllm_options import options_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_no_server = ("bench", "chat", "complete", "run-batch", "collect-env", "launch")
_server_modules = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server")
_server_files = tuple(f"{module.replace('.', '/')}.py" for module in _server_modules)
_shells = ("sh", "bash", "dash", "ash", "ksh", "zsh")
_longest_script_bytes = 64 * 1024
_most_scripts = 4
_any_host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_default_port = "8000"


@dataclass(frozen=True)
class VllmStart:
    """What is known of a start of vLLM before it."""

    ready_url: str
    """What gives 200 once the server is ready; empty where that cannot be known."""
    unknown: str = ""
    """Why it cannot be known, as a part of a sentence."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """The environment that vLLM gets."""


def read_command(command: Sequence[str], environment: Mapping[str, str]) -> VllmStart:
    """Return what a command says of the vLLM that it starts, also through `env`, `uv` or a shell.

    `environment` is what the command gets. Reads scripts and configuration files that it names.
    """
    place = _Place(dict(environment), os.getcwd())
    found = _find(list(command), place, 0)
    if isinstance(found, str):
        return VllmStart("", found, place.variables)
    if found is None:
        if not any(word.startswith(("--port", "--uds", "--config")) for word in command):
            unknown = "the command does not say how it starts vLLM"
            return VllmStart("", unknown, place.variables)
        found = list(command)
    url, unknown = _address(found, place.directory)
    return VllmStart(url, unknown, place.variables)


@dataclass
class _Place:
    """Where a command runs."""

    variables: dict[str, str]
    directory: str


def _find(words: list[str], place: _Place, depth: int) -> list[str] | str | None:
    """Return the options of the server that this starts; a text says why there is no server."""
    for i, word in enumerate(words):
        name, rest = os.path.basename(word), words[i + 1 :]
        assignment = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", word, re.DOTALL)
        if assignment:
            place.variables[assignment[1]] = assignment[2]
        elif name == "vllm" and rest[:1] == ["serve"]:
            return rest[1:]
        elif name == "vllm" and rest and rest[0] in _no_server:
            return f"`vllm {rest[0]}` starts no server"
        elif word == "-m" and rest and rest[0] in _server_modules:
            return rest[1:]
        elif word == "-m" and rest[:2] == ["vllm.entrypoints.cli.main", "serve"]:
            return rest[2:]
        elif word.endswith(_server_files):
            return rest
        elif name == "ray" and i == 0:
            return "`ray` starts no server of vLLM's"
        elif depth < _most_scripts:
            script = _script(name, word, rest, place.directory)
            if script:
                return _find_in_script(*script, place, depth + 1)
    return None


def _script(name: str, word: str, rest: list[str], directory: str) -> tuple[str, list[str]] | None:
    """Return the text of a shell script that a command runs, and its arguments."""
    if name in _shells:
        for i, option in enumerate(rest):
            if re.fullmatch(r"-[a-z]*c[a-z]*", option):
                # After the text comes the name that it gets.
                return (rest[i + 1], rest[i + 3 :]) if rest[i + 1 :] else None
            if not option.startswith(("-", "+")):
                text = _text_of(os.path.join(directory, option))
                return (text, rest[i + 1 :]) if text else None
        return None
    text = _text_of(os.path.join(directory, word)) if "/" in word else ""
    return (text, rest) if re.match(r"#!\S*(\s+\S*)*sh\b", text.split("\n", 1)[0]) else None


def _text_of(path: str) -> str:
    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > _longest_script_bytes:
            return ""
        return file.read_text()
    except (OSError, ValueError):
        return ""


def _find_in_script(
    text: str, arguments: list[str], place: _Place, depth: int
) -> list[str] | str | None:
    for statement in _statements(text):
        words = [
            done
            for word in statement
            for done in (
                arguments if word in ("$@", "$*") else [_expanded(word, place.variables, arguments)]
            )
        ]
        if words[:1] == ["cd"] and len(words) > 1:
            place.directory = os.path.join(place.directory, words[1])
            continue
        found = _find(words, place, depth)
        if found is not None:
            return found
    return None


def _statements(text: str) -> list[list[str]]:
    lines = text.replace("\\\n", " ").replace("\n", " ; ")
    # A comment ends with its line, which is no longer there.
    lines = re.sub(r"(^| ; )\s*#.*?(?= ; |$)", r"\1", lines)
    reader = shlex.shlex(lines, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    reader.commenters = ""
    statements: list[list[str]] = [[]]
    try:
        for word in reader:
            if word and set(word) <= set("();<>|&"):
                statements.append([])
            else:
                statements[-1].append(word)
    # A text with an open quote; what came before it counts.
    except ValueError:
        pass
    return [statement for statement in statements if statement]


def _expanded(word: str, variables: Mapping[str, str], arguments: list[str]) -> str:
    """Return a word with its variables filled in, as far as they are known."""

    def value(match: re.Match[str]) -> str:
        name, default = match["braced"] or match["plain"], match["default"]
        if name.isdigit():
            found = arguments[int(name) - 1] if 0 < int(name) <= len(arguments) else ""
        else:
            found = variables.get(name, "")
        return found or _expanded(default or "", variables, arguments)

    pattern = r"\$(?:\{(?P<braced>\w+)(?::?[-=](?P<default>[^}]*))?\}|(?P<plain>\w+))"
    return re.sub(pattern, value, word)


def _address(words: list[str], directory: str) -> tuple[str, str]:
    """Return the URL that answers when the server is ready, or why there is none."""
    try:
        options = options_of(words, directory)
    except (OSError, ValueError) as error:
        return "", f"its configuration cannot be read ({error})"
    if options.get("headless") or options.get("api-server-count") == "0":
        return "", "a headless vLLM starts no server"
    if options.get("grpc"):
        return "", "a server with --grpc has no page to ask"
    if options.get("ssl-cert-reqs") == "2":
        return "", "its server wants a certificate of whoever asks"
    encrypted = options.get("ssl-certfile") or options.get("ssl-keyfile")
    scheme = "https" if encrypted else "http"
    if options.get("uds"):
        socket = os.path.join(directory, options["uds"])
        return f"{scheme}+unix://{quote(socket, safe='')}/health", ""
    port, host = options.get("port", _default_port), options.get("host", "").strip("[]")
    if not port.isdigit() or not 0 < int(port) < 65536:
        return "", f"its port {port!r} is no number that can be asked"
    host = _any_host.get(host, host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/health", ""
