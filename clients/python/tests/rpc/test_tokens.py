"""A token never shows, and blanks around it are no part of it."""

from __future__ import annotations

import math
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compilecache import CacheClient, CacheServiceError, Environment, list_available_caches
from daemon import Daemon
from directories import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Call

_secret = "s3cr3t-of-ours"
_stranger = "s3cr3t-of-nobody"
_environment = Environment("2.1.0")
_calls: dict[str, tuple[Any, ...]] = {
    "load": (_environment,),
    "save": (_environment,),
    "start_transfer": ("/a", "/b"),
    "get_transfer": ("none",),
    "list_transfers": (),
    "cancel_transfer": ("none",),
    "get_cache_info": (_environment,),
    "list_caches": (),
    "delete_cache": ("none",),
    "clear_local_cache": (),
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Daemon]:
    with temporary_directory() as directory:
        tokens = Path(directory, "tokens")
        tokens.write_text(f"\ufeff# ours\r\nread {_secret} \r\n", "utf-8")
        with Daemon(Path(directory), "--tokens-file", str(tokens)) as daemon:
            yield daemon


@pytest.mark.parametrize("around", ["{}", "{}\n", " {}\r\n", "\ufeff{}"])
def test_blanks_around_a_token_are_no_part_of_it(
    guarded: Daemon, monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_TOKEN", around.format(_secret))
    with CacheClient(f" '{guarded.address}' \n") as client:
        assert not client.list_caches().caches


@pytest.mark.parametrize("token", [f"{_secret}\nx", f"{_secret} x", f"{_secret}é", f"{_secret}\0"])
def test_a_token_that_no_call_could_carry_is_refused_without_being_shown(
    call: Call, token: str
) -> None:
    with pytest.raises(CacheServiceError) as error:
        call("localhost:1", "list_caches", client={"token": token})
    assert error.value.reason == "INVALID_REQUEST"
    assert "COMPILE_CACHE_TOKEN" in error.value.message
    assert "s3cr3t" not in _shown(error.value)


@pytest.mark.parametrize("method", _calls)
def test_a_token_shows_in_no_error(guarded: Daemon, call: Call, method: str) -> None:
    for address in (guarded.address, "unix:/none/such.sock"):
        with pytest.raises(CacheServiceError) as error:
            call(address, method, *_calls[method], client={"token": _stranger})
        assert "s3cr3t" not in _shown(error.value)
    client = CacheClient("localhost:1", token=_secret, timeout_seconds=math.inf)
    assert "s3cr3t" not in repr(vars(client))
    client.close()


@pytest.mark.parametrize("token", ["s3cr3t-of-nobody", "s3cr3t\nx"])
def test_a_model_s_log_does_not_show_it(
    guarded: Daemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_TOKEN", token)
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", guarded.address)
    answer = list_available_caches(environment=_environment)
    assert "token" in answer["error"]
    assert "s3cr3t" not in f"{answer} {caplog.text}"


def _shown(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join([*lines, repr(error), str(error), repr(vars(error))])
