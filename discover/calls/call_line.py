"""One line of HAProxy's log -> one call. No I/O.

The template lays the form of the line out (block `calls`). What a client could choose in it is
whatever it likes, so it is made printable here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from catalog.asking.fields import printable
from catalog.errors import Rejected
from catalog.host_port import host_port
from discover.calls.endings import ending

TEXTS = (
    "time", "service", "backend", "instance", "client", "method", "path", "end", "retries", "id",
)  # fmt: skip
NUMBERS = (
    "status", "queue_ms", "connect_ms", "response_ms", "total_ms", "bytes_in", "bytes_out",
)  # fmt: skip
NEVER = -1  # what HAProxy writes for a time that did not come
ERROR_STATUS = 500
_SERVICE = re.compile(rb'"service":"([^"]*)"')


def is_call(line: bytes) -> bool:
    """Whether a line is a call, and not what HAProxy says of itself."""
    return line.startswith(b'{"time":')


def listener_of(line: bytes) -> str:
    """Return the name of the listener that a call was for, without reading the whole line."""
    found = _SERVICE.search(line)
    return found[1].decode(errors="replace") if found else ""


def call_of(line: bytes) -> dict[str, Any]:
    """Return a call: what HAProxy wrote, and why it ended in words. Raises Rejected."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise Rejected(f"{line[:80]!r} is not a line of JSON: {error}") from error
    if not isinstance(found, dict):
        raise Rejected(f"{line[:80]!r} is not an object")

    texts = {name: printable(str(found[name])) for name in TEXTS if found.get(name)}
    numbers = {name: int(found[name]) for name in NUMBERS if _is_number(found.get(name))}
    address = _endpoint(texts.pop("instance", ""))
    if address:
        texts["address"] = address

    code = texts.pop("end", "")
    why = ending(code, was_called=bool(address))
    return {**texts, **numbers, "end": why, "code": code}


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value != NEVER


def _endpoint(text: str) -> str:
    """Return the address of an instance as records have it; empty if none was called."""
    address, _, port = text.rpartition(":")
    return host_port(address, int(port)) if port.isdigit() and int(port) else ""


def is_error(call: Mapping[str, Any]) -> bool:
    """Whether something went wrong, as HAProxy sees it: also what a second try mended."""
    ended_well = call["code"] == "--" or call["code"][:1] == "L"
    return (
        not ended_well
        or call.get("status", 0) >= ERROR_STATUS
        or call.get("retries", "0").lstrip("+") != "0"
    )
