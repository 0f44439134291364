from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from compilecache._calls.vllm_cache import vllm_cache_root
from compilecache.commands.vllm_command import VllmStart, read_command

if TYPE_CHECKING:
    pass


_model = "vllm serve model"


@pytest.mark.parametrize(
    ("command", "url"),
    [
        (_model, "http://127.0.0.1:8000/health"),
        (f"{_model} --port 8001", "http://127.0.0.1:8001/health"),
        (f"{_model} --port=8001 --port=8002", "http://127.0.0.1:8002/health"),
        ("vllm serve --host 0.0.0.0 --port 1", "http://127.0.0.1:1/health"),
        ("vllm serve --host 10.0.0.7", "http://10.0.0.7:8000/health"),
        ("vllm serve --host ::", "http://[::1]:8000/health"),
        ("vllm serve --host fd00::1", "http://[fd00::1]:8000/health"),
        ("vllm serve --host [::1]", "http://[::1]:8000/health"),
        ("vllm serve --ssl_certfile=a.pem", "https://127.0.0.1:8000/health"),
        (f"{_model} --uds /run/v.sock", "http+unix://%2Frun%2Fv.sock/health"),
        (f"{_model} --api-server-count 4 --port 9", "http://127.0.0.1:9/health"),
        ("python -m vllm.entrypoints.openai.api_server --port 9", "http://127.0.0.1:9/health"),
        ("python3 -m vllm.entrypoints.cli.main serve m --port 9", "http://127.0.0.1:9/health"),
        ("/opt/v/bin/vllm serve m --port 9", "http://127.0.0.1:9/health"),
        ("env X=1 vllm serve m --port 9", "http://127.0.0.1:9/health"),
        ("uv run --with vllm vllm serve m --port 9", "http://127.0.0.1:9/health"),
        ("tini -g -- numactl -N 0 vllm serve m --port 9", "http://127.0.0.1:9/health"),
        ("bash -c 'exec vllm serve m --port 9'", "http://127.0.0.1:9/health"),
        ("bash -lc 'cd /x && vllm serve m --port 9 2>&1 | tee log'", "http://127.0.0.1:9/health"),
        ("sh -c 'ulimit -n 9; PORT=9; vllm serve m --port $PORT &'", "http://127.0.0.1:9/health"),
        ("sh -c 'vllm serve m --port ${PORT:-9}'", "http://127.0.0.1:9/health"),
        ("sh -c 'vllm serve m --port $GIVEN'", "http://127.0.0.1:7/health"),
        ("""sh -c 'vllm serve "$@"' sh m --port 9""", "http://127.0.0.1:9/health"),
        (
            "sh -c '# vllm serve m --port 1\nvllm serve m \\\n --port 9'",
            "http://127.0.0.1:9/health",
        ),
        ("bash -c \"bash -c 'vllm serve m --port 9'\"", "http://127.0.0.1:9/health"),
        ("cd x; vllm serve m --port 9", "http://127.0.0.1:9/health"),
        ("a-program-of-mine --port 9", "http://127.0.0.1:9/health"),
    ],
)
def test_the_command_says_where_it_answers(command: str, url: str) -> None:
    assert read_command(shlex.split(command), {"GIVEN": "7"}).ready_url == url


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("vllm serve m --headless", "headless"),
        ("vllm serve m --api-server-count=0", "headless"),
        ("vllm serve m --grpc", "--grpc"),
        ("vllm serve m --port 0", "'0'"),
        ("sh -c 'vllm serve m --port $(free-port)'", "port"),
        ("vllm serve m --ssl-certfile a --ssl-cert-reqs 2", "certificate"),
        ("vllm serve m --config /nowhere/c.yaml", "/nowhere/c.yaml"),
        ("vllm bench latency --port 9", "bench"),
        ("ray start --head --port=6379 --block", "ray"),
        ("torchrun --nproc-per-node 8 server.py", "does not say"),
        ("./start.sh", "does not say"),
    ],
)
def test_a_command_that_does_not_say_it_is_told_so(command: str, why: str) -> None:
    start = read_command(shlex.split(command), {})
    assert start.ready_url == ""
    assert why in start.unknown


@pytest.mark.parametrize("yaml", [True, False])
@pytest.mark.parametrize(
    ("text", "options", "url"),
    [
        ("port: 9\n", "", "http://127.0.0.1:9/health"),
        ("model: m\nport: '9' # ours\nhost: \"::1\"\n", "", "http://[::1]:9/health"),
        ("port: 9\n", "--port 8", "http://127.0.0.1:8/health"),
        ("uds: v.sock\ncompilation-config:\n  port: 3\n", "", "http+unix://{}%2Fv.sock/health"),
        ("ssl_keyfile: k.pem\nheadless: false\n", "", "https://127.0.0.1:8000/health"),
        ("headless: true\n", "", ""),
        ("- port\n", "", "http://127.0.0.1:8000/health"),
    ],
)
def test_a_configuration_file_says_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    options: str,
    url: str,
    *,
    yaml: bool,
) -> None:
    (tmp_path / "c.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    if not yaml:
        monkeypatch.setitem(sys.modules, "yaml", None)
    for command in (
        "vllm serve --config c.yaml",
        f"sh -c 'cd {tmp_path}; vllm serve --config=c.yaml'",
    ):
        words = shlex.split(command)
        words = (
            [*words[:-1], f"{words[-1]} {options}"]
            if words[0] == "sh"
            else [*words, *options.split()]
        )
        assert read_command(words, {}).ready_url == url.format(quote(str(tmp_path), safe=""))


def test_a_script_says_it(tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text(
        '#!/usr/bin/env bash\nset -e\nPORT=9\nexec vllm serve m --port $PORT $1 "$@"\n'
    )
    for command in ([str(script)], ["bash", "-e", str(script)]):
        assert read_command(command, {}).ready_url == "http://127.0.0.1:9/health"
    with_uds = read_command([str(script), "--uds", "/v"], {})
    assert with_uds == VllmStart("http+unix://%2Fv/health", "", {"PORT": "9"})


@pytest.mark.parametrize(
    ("variables", "root"),
    [
        ({"HOME": "/home/ada"}, "/home/ada/.cache/vllm"),
        ({"HOME": "/"}, "/.cache/vllm"),
        ({"HOME": "/", "XDG_CACHE_HOME": "/tmp/c"}, "/tmp/c/vllm"),
        ({"HOME": "/home/ada", "XDG_CACHE_HOME": "~/c"}, "/home/ada/c/vllm"),
        ({"XDG_CACHE_HOME": "/c", "VLLM_CACHE_ROOT": "/v/"}, "/v"),
        ({"HOME": "/home/ada", "VLLM_CACHE_ROOT": "~/v"}, "/home/ada/v"),
    ],
)
def test_the_local_directory_is_vllms_own(variables: dict[str, str], root: str) -> None:
    assert vllm_cache_root(variables) == root
