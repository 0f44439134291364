"""A path's text is not a directory: two containers can share a socket and not a local directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from compilecache import CacheServiceError, Environment
from compilecache._base.identity import identity_of
from compilecache._rpc.identity import Sight
from compilecache.v1 import cache_service_pb2 as pb
from conftest import abort_richly
from daemon import Daemon
from directories import facts_of, fill, temporary_directory

if TYPE_CHECKING:
    from conftest import Call, Serve

_environment = Environment("2.1.0")
_in_another_container = ["unshare", "--mount", "--propagation", "private", "--"]


def test_an_identity_is_device_and_inode_of_what_a_path_leads_to(tmp_path: Path) -> None:
    found = tmp_path.stat()
    (tmp_path / "link").symlink_to(tmp_path)
    assert identity_of(tmp_path / "link" / ".") == f"{found.st_dev}:{found.st_ino}"
    assert identity_of(tmp_path / "a" / "b") == identity_of("/dev/null/x") == "0:0"
    assert identity_of(tmp_path / "a" / "b", or_above=True) == identity_of(tmp_path)
    assert identity_of(tmp_path / ("x" * 300)) == identity_of("/a\0") == ""


@pytest.mark.parametrize(
    ("address", "is_told"),
    [
        ("unix:/a", True),
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("host:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example:1", False),
    ],
)
def test_only_a_daemon_of_this_machine_is_told(address: str, is_told: bool) -> None:
    request = pb.ClearLocalCacheRequest(local_dir="/")
    assert Sight(address, request).look() == is_told
    assert (request.local_dir_identity != "") == is_told


def test_a_client_looks_again_while_what_it_sees_changes(
    call: Call, serve: Serve, tmp_path: Path
) -> None:
    seen: list[str] = []
    local = tmp_path / "local"

    def refuse(request: Any, context: Any) -> Any:
        seen.append(request.local_dir_identity)
        # As the load of another process does.
        local.rename(tmp_path / f"before-{len(seen)}")
        local.mkdir()
        abort_richly(context, grpc.StatusCode.PERMISSION_DENIED, "PATH_NOT_ALLOWED", "another one")

    local.mkdir()
    with pytest.raises(CacheServiceError, match="another one"):
        call(serve(Load=refuse), "load", _environment, local_dir=local)
    assert len(seen) == len(set(seen)) == 3


def test_a_client_gives_up_at_once_where_what_it_sees_stays(
    call: Call, serve: Serve, tmp_path: Path
) -> None:
    seen: list[str] = []

    def refuse(request: Any, context: Any) -> Any:
        seen.append(request.local_dir_identity)
        abort_richly(context, grpc.StatusCode.PERMISSION_DENIED, "PATH_NOT_ALLOWED", "another one")

    with pytest.raises(CacheServiceError, match="another one"):
        call(serve(Save=refuse), "save", _environment, local_dir=tmp_path)
    assert seen == [identity_of(tmp_path)]


def test_two_containers_that_share_a_socket_do_not_share_a_path() -> None:
    with temporary_directory() as directory, Daemon(Path(directory)) as daemon:
        fill(daemon.local)
        with daemon.client() as client:
            client.save(_environment, local_dir=daemon.local)
        before = facts_of(daemon.local)
        answers = _run_in_another_container(
            daemon,
            """
            import compilecache, json, os
            from compilecache import CacheClient, CacheServiceError, Environment

            environment = Environment("2.1.0")
            local = os.environ["TORCHINDUCTOR_CACHE_DIR"]
            client = CacheClient()

            def refusal(call, *arguments):
                try:
                    return str(call(*arguments, local_dir=local))
                except CacheServiceError as error:
                    return f"{error.reason}: {error.message}"

            answers = [
                refusal(client.load, environment),
                refusal(client.save, environment),
                refusal(client.get_cache_info, environment),
                refusal(client.clear_local_cache),
                compilecache.load_compile_cache(environment=environment).name,
                os.listdir(local),
            ]
            print(json.dumps(answers))
            """,
        )
        *refusals, status, listed = answers["answers"]
        for refusal in refusals:
            assert refusal.startswith("PATH_NOT_ALLOWED: local_dir")
            assert "is not the same for the caller and for this daemon" in refusal
        assert (status, listed) == ("ERROR", [])
        assert "is not the same for the caller and for this daemon" in answers["log"]
        assert facts_of(daemon.local) == before


def _run_in_another_container(daemon: Daemon, script: str) -> dict[str, Any]:
    """Run a script that sees a directory of its own where the daemon's local directory is."""
    if os.getuid() != 0 or subprocess.run([*_in_another_container, "true"], check=False).returncode:
        pytest.skip("a mount namespace needs root")
    mount = f'mount -t tmpfs none {daemon.local} && exec "$@"'
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ended = subprocess.run(
        [*_in_another_container, "sh", "-c", mount, "sh", *command],
        env={
            **os.environ,
            "COMPILE_CACHE_ADDRESS": daemon.address,
            "TORCHINDUCTOR_CACHE_DIR": str(daemon.local),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return {"answers": json.loads(ended.stdout), "log": ended.stderr}
