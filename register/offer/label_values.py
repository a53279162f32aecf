"""How the text of each label is read: which labels there are, what each may say. No I/O, no containers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from catalog.errors import Rejected
from catalog.record import Balance, Locality, Mode, OnAbsence, Panic, Proto, Retry, Role, Sticky
from catalog.rules import (
    CHECK_PATH,
    CONNECTIONS_MAX,
    HEADER_IS,
    HEADER_NAME,
    HOST_NAME,
    PATH_PREFIX,
    PLAIN_HOST_NAME,
    STATUS_CODES,
    STUB_POLICY,
    WEIGHT_MAX,
    duration_ms,
)
from sidecar.options import boolean, one_of

_WHOLE = re.compile(r"[0-9]{1,9}")
_NOT_ESCAPED_COMMA = re.compile(r"(?<!\\),")


def _whole(low: int, high: int, also: str = "") -> Callable[[str], int]:
    def read_whole(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise Rejected(f"{text!a:.80} is not a whole number from {low} to {high}{also}")
        return int(text)

    return read_whole


def _port(text: str) -> int | str:
    return "auto" if text.lower() == "auto" else _whole(1, 65535, ", or auto")(text)


def _duration(low_ms: int) -> Callable[[str], int]:
    return lambda text: duration_ms(text, low_ms)


def _balance(text: str) -> str:
    kind, colon, header = text.partition(":")
    if kind.lower() == "hash" and HEADER_NAME.fullmatch(header):
        return f"hash:{header}"
    if colon or kind.lower() == "hash":
        raise Rejected(f"{text!a:.80} is not hash:<header> with the name of a header")
    return str(one_of(*get_args(Balance), "hash:<header>")(text))


def _text_of(
    pattern: re.Pattern[str], right: str, spelt: Callable[[str], str] = str
) -> Callable[[str], str]:
    def read_text(text: str) -> str:
        if not pattern.fullmatch(spelt(text)):
            raise Rejected(f"{text!a:.80} is not {right}")
        return spelt(text)

    return read_text


def _texts_of(
    pattern: re.Pattern[str], right: str, spelt: Callable[[str], str] = str
) -> Callable[[str], tuple[str, ...]]:
    read_text = _text_of(pattern, right, spelt)
    return lambda text: tuple(dict.fromkeys(map(read_text, re.split(r"[,\s]+", text.strip(", ")))))


def _tags(text: str) -> tuple[str, ...]:
    parts = (part.replace("\\,", ",").strip() for part in _NOT_ESCAPED_COMMA.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))


@dataclass(frozen=True, slots=True)
class Setting:
    """One label of the contract: which field of PortLabels it fills, and how its text is read (raises Rejected)."""

    field: str
    read: Callable[[str], Any]


# NAME is not among them: it is read by register/offer/naming.py, where all ports of a container are seen together.
SETTINGS: Mapping[str, Setting] = {
    "IGNORE": Setting("ignore", boolean),
    "PORT": Setting("port", _port),
    "MODE": Setting("mode", one_of(*get_args(Mode))),
    "HOSTS": Setting(
        "hosts", _texts_of(HOST_NAME, "a host name, or one with a leading *.", str.lower)
    ),
    "PATH": Setting("paths", _texts_of(PATH_PREFIX, "the beginning of a path, such as /api")),
    "PROTO": Setting("proto", one_of(*get_args(Proto))),
    "ROLE": Setting("role", one_of(*get_args(Role))),
    "STUB_POLICY": Setting(
        "stub_policy",
        _text_of(
            STUB_POLICY, "supersede, fallback, pin or share=N% with N from 0 to 100", str.lower
        ),
    ),
    "WEIGHT": Setting("weight", _whole(0, WEIGHT_MAX)),
    "CHECK_HTTP": Setting("check_path", _text_of(CHECK_PATH, "a path such as /health")),
    "CHECK_TCP": Setting("check_tcp", boolean),
    "CHECK_GRPC": Setting("check_grpc", boolean),
    "CHECK_STATUS": Setting(
        "check_status", _text_of(STATUS_CODES, "status codes such as 200 or 200-299,404")
    ),
    "CHECK_HOST": Setting("check_host", _text_of(PLAIN_HOST_NAME, "a host name", str.lower)),
    "CHECK_INTERVAL": Setting("check_interval_ms", _duration(100)),
    "CHECK_TIMEOUT": Setting("check_timeout_ms", _duration(100)),
    "BALANCE": Setting("balance", _balance),
    "CANARY": Setting("canary", _text_of(HEADER_IS, "the name of a header, or name=value")),
    "LOCALITY": Setting("locality", one_of(*get_args(Locality))),
    "SLOW_START": Setting("slow_start_ms", _duration(1)),
    "MAXCONN": Setting("maxconn", _whole(1, CONNECTIONS_MAX)),
    "STICKY": Setting("sticky", one_of(*get_args(Sticky))),
    "TIMEOUT": Setting("timeout_ms", _duration(1)),
    "RETRY": Setting("retry", one_of(*get_args(Retry))),
    "PANIC": Setting("panic", one_of(*get_args(Panic))),
    "ON_ABSENCE": Setting("on_absence", one_of(*get_args(OnAbsence))),
    "NETWORK": Setting("network", str),
    "ADDRESS": Setting("address", str),
    "TAGS": Setting("tags", _tags),
}
CHECK_KINDS = frozenset({"CHECK_HTTP", "CHECK_TCP", "CHECK_GRPC"})
