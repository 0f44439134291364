"""What a daemon's address and a caller's token are, as people and files of variables give them."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from compilecache.exceptions import FieldViolation, invalid_request

# Names for gRPC's own resolvers, which judge the rest themselves.
_other_schemes = re.compile(r"(dns|ipv4|ipv6|unix-abstract|xds):[^\s\x00-\x1f\x7f-\x9f]+")
_host_and_port = re.compile(r"(\[[\da-fA-F:.]+(%\w+)?\]|[\w.-]+):(\d{1,5})", re.ASCII)
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_blanks = re.compile(r"^[\s\ufeff]+|[\s\ufeff]+$")
_most_shown = 200


def parse_address(text: str) -> str:
    """Return the address of a daemon: `unix:/path`, `host:port`, `[ipv6]:port`.

    Blanks and quotes around it, which files of variables leave there, are no part of it, and a path
    alone is a socket's. Raises CacheServiceError INVALID_REQUEST.
    """
    address = _trimmed(text)
    if len(address) > 1 and address[0] == address[-1] and address[0] in "\"'":
        address = _trimmed(address[1:-1])
    path = re.sub("^unix:(//(?=/))?", "", address)
    # A relative one would be another's in each process.
    if re.match("/(?!/)", path) and not _control.search(path):
        return f"unix:{path}"
    found = None if address.startswith("unix:") else _host_and_port.fullmatch(address)
    if (found and 1 <= int(found[3]) <= 65_535) or _other_schemes.fullmatch(address):
        return address
    masked = re.sub("(://)[^/@]*@", r"\1***@", address)[:_most_shown]
    raise invalid_request(
        [
            FieldViolation(
                "address",
                f"{json.dumps(masked, ensure_ascii=False)} is not where a daemon can be "
                "(COMPILE_CACHE_ADDRESS); give unix:/path, host:port or [ipv6]:port",
            )
        ]
    )


def grpc_target(address: str) -> str:
    """Return an address as gRPC for Python takes it: as a URL, in which signs have codes."""
    scheme, _, path = address.partition(":")
    return f"unix:{quote(path)}" if scheme == "unix" else address


def parse_token(text: str) -> str:
    """Return a token without the blanks around it, which files of secrets leave there.

    An empty one stands for none. Raises CacheServiceError INVALID_REQUEST, which does not show it,
    for one that no call could carry.
    """
    token = _trimmed(text)
    if re.fullmatch(r"[\x21-\x7e]*", token):
        return token
    raise invalid_request(
        [
            FieldViolation(
                "token",
                "a token (COMPILE_CACHE_TOKEN) is of printable ASCII characters without blanks, "
                "and this one, which is not shown, holds another",
            )
        ]
    )


def _trimmed(text: str) -> str:
    return _blanks.sub("", text)
