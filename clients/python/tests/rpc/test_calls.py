"""Unary calls, of both clients."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from compilecache import CacheServiceError, Environment, FieldViolation
from compilecache._base.identity import identity_of
from compilecache._daemon import address as daemon_address
from compilecache.v1 import cache_pb2, transfer_pb2
from compilecache.v1 import cache_service_pb2 as pb
from conftest import Hangs, abort_richly

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call, Serve

_environment = Environment("2.11.0", "13.0", "9.0", extra={"py": "3.12"})


class _Recorder:
    """Answers every call with `response`, and keeps what came."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.requests: list[Any] = []
        self.authorizations: list[Any] = []
        self.seconds: list[float | None] = []

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        self.authorizations.append(dict(context.invocation_metadata()).get("authorization"))
        self.seconds.append(context.time_remaining())
        return self.response


@pytest.mark.parametrize("seconds", [2_147_484, 2_592_000, 1e10, 1e300])
def test_a_deadline_that_is_further_than_clocks_go_is_none(
    call: Call, serve: Serve, seconds: float
) -> None:
    get = _Recorder(pb.GetTransferResponse())
    call(serve(GetTransfer=get), "get_transfer", "op1", timeout_seconds=seconds)
    # What a server is told of no deadline: at the end of time.
    assert get.seconds[0] is None or get.seconds[0] > 1e9


def test_a_load_sends_what_the_caller_says(call: Call, serve: Serve, tmp_path: Path) -> None:
    load = _Recorder(pb.LoadResponse(status=transfer_pb2.LOAD_STATUS_SUCCESS))
    response = call(
        serve(Load=load),
        "load",
        _environment,
        local_dir=tmp_path / "inner" / ".." / "cache",
        if_local_exists="merge",
        detach=True,
        client={"namespace": "llama", "token": "secret"},
    )
    assert response.status == transfer_pb2.LOAD_STATUS_SUCCESS
    assert load.authorizations == ["Bearer secret"]
    assert load.requests == [
        pb.LoadRequest(
            namespace="llama",
            environment=_environment.to_message(),
            local_dir=str(tmp_path / "cache"),
            local_dir_identity=identity_of(tmp_path / "cache"),
            detach=True,
            if_local_exists=pb.IF_LOCAL_EXISTS_MERGE,
        )
    ]


def test_a_load_creates_its_directory(call: Call, serve: Serve, tmp_path: Path) -> None:
    call(serve(Load=_Recorder(pb.LoadResponse())), "load", _environment, local_dir=tmp_path / "a/b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_load_leaves_to_the_daemon_a_directory_that_cannot_be_made(
    call: Call, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    load = _Recorder(pb.LoadResponse())
    call(serve(Load=load), "load", _environment, local_dir=tmp_path / "file" / "a")
    assert load.requests[0].local_dir == str(tmp_path / "file" / "a")


def test_a_save_sends_what_the_caller_says(call: Call, serve: Serve, tmp_path: Path) -> None:
    save = _Recorder(pb.SaveResponse(cache=cache_pb2.Cache(file_count=3)))
    response = call(
        serve(Save=save),
        "save",
        _environment,
        local_dir=str(tmp_path),
        namespace="qwen",
        if_stored_exists="replace",
        profile="small",
        client={"namespace": "llama"},
    )
    assert response.cache.file_count == 3
    assert save.authorizations == [None]
    assert save.requests == [
        pb.SaveRequest(
            namespace="qwen",
            environment=_environment.to_message(),
            local_dir=str(tmp_path),
            local_dir_identity=identity_of(tmp_path),
            if_stored_exists=pb.IF_STORED_EXISTS_REPLACE,
            profile="small",
        )
    ]


def test_settings_come_from_the_environment(
    call: Call, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save = _Recorder(pb.SaveResponse())
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", serve(Save=save))
    monkeypatch.setenv("COMPILE_CACHE_NAMESPACE", "llama")
    monkeypatch.setenv("COMPILE_CACHE_TOKEN", "secret")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    call(None, "save", _environment)
    assert save.requests[0].namespace == "llama"
    assert save.requests[0].local_dir == str(tmp_path)
    assert save.authorizations == ["Bearer secret"]


def test_the_short_calls(call: Call, serve: Serve, tmp_path: Path) -> None:
    transfer = transfer_pb2.Transfer(operation_id="op1")
    answers = {
        "StartTransfer": pb.StartTransferResponse(transfer=transfer),
        "GetTransfer": pb.GetTransferResponse(transfer=transfer),
        "CancelTransfer": pb.CancelTransferResponse(transfer=transfer),
        "ListTransfers": pb.ListTransfersResponse(transfers=[transfer], next_page_token="more"),
        "GetCacheInfo": pb.GetCacheInfoResponse(cache_key="0123456789ab"),
        "ListCaches": pb.ListCachesResponse(next_page_token="more"),
        "DeleteCache": pb.DeleteCacheResponse(),
        "ClearLocalCache": pb.ClearLocalCacheResponse(file_count=2),
    }
    recorders = {name: _Recorder(answer) for name, answer in answers.items()}
    address = serve(**recorders)

    assert call(address, "start_transfer", "/a", "/b", operation_name="x") == transfer
    assert call(address, "get_transfer", "op1") == transfer
    assert call(address, "cancel_transfer", "op1") == transfer
    page: Any = {"page_size": 5, "page_token": "p"}
    assert call(address, "list_transfers", include_finished=True, **page).next_page_token == "more"
    info = call(address, "get_cache_info", _environment, local_dir=tmp_path, namespace="n")
    assert info.cache_key == "0123456789ab"
    listed = call(address, "list_caches", namespace="n", environment=_environment, **page)
    assert listed.next_page_token == "more"
    assert call(address, "delete_cache", "0123456789ab", namespace="n") is None
    assert call(address, "clear_local_cache", local_dir=tmp_path).file_count == 2

    environment = _environment.to_message()
    assert {name: recorder.requests for name, recorder in recorders.items()} == {
        "StartTransfer": [
            pb.StartTransferRequest(
                source="/a",
                destination="/b",
                operation_name="x",
                destination_identity=identity_of("/"),
            )
        ],
        "GetTransfer": [pb.GetTransferRequest(operation_id="op1")],
        "CancelTransfer": [pb.CancelTransferRequest(operation_id="op1")],
        "ListTransfers": [pb.ListTransfersRequest(include_finished=True, **page)],
        "GetCacheInfo": [
            pb.GetCacheInfoRequest(
                namespace="n",
                environment=environment,
                local_dir=str(tmp_path),
                local_dir_identity=identity_of(tmp_path),
            )
        ],
        "ListCaches": [pb.ListCachesRequest(namespace="n", environment=environment, **page)],
        "DeleteCache": [pb.DeleteCacheRequest(namespace="n", cache_key="0123456789ab")],
        "ClearLocalCache": [
            pb.ClearLocalCacheRequest(
                local_dir=str(tmp_path), local_dir_identity=identity_of(tmp_path)
            )
        ],
    }


def test_all_caches_are_of_every_namespace_unless_one_is_named(call: Call, serve: Serve) -> None:
    caches = _Recorder(pb.ListCachesResponse())
    call(serve(ListCaches=caches), "list_caches", client={"namespace": "llama"})
    assert caches.requests == [pb.ListCachesRequest()]


def test_an_error_has_the_service_s_code_reason_message_and_violations(
    call: Call, serve: Serve
) -> None:
    def refuse(request: object, context: grpc.ServicerContext) -> None:
        code = grpc.StatusCode.INVALID_ARGUMENT
        abort_richly(context, code, "INVALID_REQUEST", "größer", namespace="is too long")

    with pytest.raises(CacheServiceError) as caught:
        call(serve(GetTransfer=refuse), "get_transfer", "op1")
    error = caught.value
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert (error.message, str(error)) == ("größer", "INVALID_REQUEST: größer")
    assert error.violations == (FieldViolation("namespace", "is too long"),)


def test_an_error_without_details_has_a_code_and_no_reason(call: Call, serve: Serve) -> None:
    with pytest.raises(CacheServiceError) as caught:
        call(serve(), "get_transfer", "op1")
    assert (caught.value.code, caught.value.reason) == ("UNIMPLEMENTED", None)


def test_where_no_daemon_is_the_error_says_so(call: Call, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/none.sock"
    with pytest.raises(CacheServiceError) as caught:
        call(address, "get_transfer", "op1")
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", None)
    assert f"no daemon answers at {address}" in caught.value.message
    assert caught.value.message.endswith(
        f"`compilecache serve --listen {address}` starts one there"
    )


@pytest.mark.parametrize(
    ("configured", "advice"),
    [
        ("", r"; compilecache.ensure_daemon\(\) starts one for this user"),
        ("{address}", "; COMPILE_CACHE_ADDRESS names it: without that, .* start a daemon .*"),
    ],
)
def test_where_none_is_found_the_error_says_how_to_have_one(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str, advice: str
) -> None:
    none = str(tmp_path / "none.sock")
    monkeypatch.setattr(daemon_address, "SYSTEM_SOCKET", none)
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", configured.format(address=f"unix:{none}"))
    with pytest.raises(CacheServiceError) as caught:
        call(f"unix:{none}", "get_transfer", "op1")
    assert re.search(f"{advice}$", caught.value.message)


def test_a_policy_that_is_none_is_refused(call: Call, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/none.sock"
    with pytest.raises(CacheServiceError) as caught:
        call(address, "load", _environment, local_dir=tmp_path, if_local_exists="overwrite")
    assert [violation.field for violation in caught.value.violations] == ["if_local_exists"]


@pytest.mark.parametrize(
    ("client", "asked", "expected"),
    [
        ({}, {}, 30),
        ({"timeout_seconds": 100}, {}, 100),
        ({"timeout_seconds": 100}, {"timeout_seconds": 7}, 7),
        ({"timeout_seconds": 100}, {"timeout_seconds": math.inf}, None),
    ],
)
def test_whose_time_out_holds(
    call: Call, serve: Serve, client: Any, asked: Any, expected: float | None
) -> None:
    recorder = _Recorder(pb.GetTransferResponse())
    call(serve(GetTransfer=recorder), "get_transfer", "op1", client=client, **asked)
    assert _told(recorder.seconds[0]) == expected


def test_a_load_has_no_time_out_of_its_own(call: Call, serve: Serve, tmp_path: Path) -> None:
    load = _Recorder(pb.LoadResponse())
    call(serve(Load=load), "load", _environment, local_dir=tmp_path)
    assert _told(load.seconds[0]) is None


def test_a_call_ends_when_its_time_is_up(call: Call, serve: Serve) -> None:
    address = serve(GetTransfer=Hangs(pb.GetTransferResponse()))
    with pytest.raises(CacheServiceError) as caught:
        call(address, "get_transfer", "op1", timeout_seconds=0.1)
    assert (caught.value.code, caught.value.reason) == ("DEADLINE_EXCEEDED", None)


def _told(seconds: float | None) -> Any:
    """What a time-out that arrived stands for: gRPC may round it up, and centuries mean none."""
    return None if seconds is None or seconds > 1e6 else pytest.approx(seconds, abs=5)
