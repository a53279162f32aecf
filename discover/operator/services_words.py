"""How the words of a file of services are read: those of the labels, in lower case, each server's address. No I/O."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from catalog.errors import Rejected
from catalog.record import Check, CheckKind
from catalog.rules import CONNECTIONS_MAX, HEADER_NAME, WEIGHT_MAX, duration_ms, matches

ADDRESS = "an address and a port, such as 10.0.0.5:5432"


def endpoint(text: str) -> tuple[str, int | None]:
    """Return address and port of `10.0.0.5:5432` or `[2001:db8::5]:5432`; without a port it is the service's."""
    host, bracket, rest = (
        text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    )
    if not bracket:
        host, colon, rest = text.partition(":")
        rest = colon + rest
        if rest.count(":") > 1:
            wrong(f"{text!r:.80} is not {ADDRESS} or [2001:db8::5]:5432")
    if rest and not (rest[0] == ":" and rest[1:].isdecimal() and rest.isascii() and len(rest) <= 6):
        wrong(f"{text!r:.80} is not {ADDRESS} or [2001:db8::5]:5432")
    return address_of(host), int(rest[1:]) if rest else None


def address_of(value: object) -> str:
    """Return an IP address in its one spelling."""
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        is_name = (
            isinstance(value, str)
            and ":" not in value
            and any(letter.isalpha() for letter in value)
        )
        seen = "is a host name; servers are IP addresses" if is_name else "is not an IP address"
        raise Rejected(f"address: {said(value)} {seen}, such as 10.0.0.5") from error


def port_of(value: object) -> int:
    """Return a number that a port can have."""
    return _whole(1, 65535)(value)


# Readers: a value of YAML's into that of a record, or Rejected with what would be right. What only a record's own
# rules know, they say.


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read_whole(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            wrong(f"{said(value)} is not a whole number from {low} to {high}")
        return value

    return read_whole


def _service_port(value: object) -> int | None:
    return None if value == "auto" else port_of(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        wrong(f"{said(value)} is not a text; quotes make it one")
    return value


def _list(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else _text(value).split(",")
    return tuple(dict.fromkeys(_text(item).strip() for item in items))


def _duration(low_ms: int) -> Callable[[object], int]:
    return lambda value: duration_ms(value if isinstance(value, str) else said(value), low_ms)


def _switch(value: object) -> str:
    # YAML 1.1 reads on and off as true and false
    return {True: "on", False: "off"}.get(value, "") if isinstance(value, bool) else _text(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        wrong(f"{said(value)} is not true or false")
    return value


def _codes(value: object) -> str:
    return str(value) if isinstance(value, int) and 0 <= value <= 999 else _text(value)


def _balance(value: object) -> Mapping[str, Any]:
    kind, colon, header = _text(value).partition(":")
    if kind != "hash":
        return {"balance": value}
    matches(
        "balance", header if colon else "", HEADER_NAME, "hash:<header> with the name of a header"
    )
    return {"hash_header": header}


def _check(value: object) -> Check:
    if value is False:
        return Check("none")
    words = read(mapping(value, "{http: /health}, or false for none"), OF_CHECK)
    tcp, path = words.pop("tcp", True), words.get("path")
    kind: CheckKind = "http" if path is not None else "tcp" if tcp or words.get("grpc") else "none"
    return Check(kind=kind, **words)


@dataclass(frozen=True, slots=True)
class _Word:
    field: str  # of the record; empty: the reader gives the fields themselves
    read: Callable[[object], Any]


OF_CHECK: Mapping[str, _Word] = {
    "http": _Word("path", _text),
    "tcp": _Word("tcp", _boolean),
    "grpc": _Word("grpc", _boolean),
    "status": _Word("status", _codes),
    "host": _Word("host", _text),
    "interval": _Word("interval_ms", _duration(100)),
    "timeout": _Word("timeout_ms", _duration(100)),
}
OF_SERVER: Mapping[str, _Word] = {
    "weight": _Word("weight", _whole(0, WEIGHT_MAX)),
    "zone": _Word("zone", _text),
    "role": _Word("role", _text),
    "stub_policy": _Word("stub_policy", _text),
    "state": _Word("state", _text),
    "canary": _Word("canary", _text),
    "slow_start": _Word("slow_start_ms", _duration(1)),
    "maxconn": _Word("maxconn", _whole(1, CONNECTIONS_MAX)),
    "tags": _Word("tags", _list),
}
OF_SERVICE: Mapping[str, _Word] = {
    **OF_SERVER,
    "port": _Word("service_port", _service_port),
    "mode": _Word("mode", _text),
    "hosts": _Word("hosts", _list),
    "path": _Word("paths", _list),
    "proto": _Word("proto", _text),
    "check": _Word("check", _check),
    "balance": _Word("", _balance),
    "locality": _Word("locality", _text),
    "sticky": _Word("sticky", _text),
    "timeout": _Word("timeout_ms", _duration(1)),
    "retry": _Word("retry", _text),
    "panic": _Word("panic", _switch),
}


def read(given: Mapping[Any, Any], words: Mapping[str, _Word], *also: str) -> dict[str, Any]:
    """Return the fields that these words fill; `also` are words of the place that somebody else reads."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in words:
            wrong(
                f"{said(name)} is no word of this place; there are {', '.join(sorted({*words, *also}))}"
            )
        word = words[name]
        try:
            read = word.read(value)
        except Rejected as error:
            raise Rejected(f"{name}: {error}") from error
        values.update({word.field: read} if word.field else read)
    return values


def mapping(value: object, right: str) -> Mapping[Any, Any]:
    """Return what has names; `right` says what that would be."""
    if value is None:
        wrong(f"nothing stands there; right would be {right}")
    if not isinstance(value, dict):
        wrong(f"{said(value)} is not {right}")
    return MappingProxyType(value)


def wrong(text: str) -> NoReturn:
    """Refuse something."""
    raise Rejected(text)


def said(value: object) -> str:
    """Return a value as messages show it; never all of a list, which aliases can make endless."""
    if value is None:
        return "nothing"
    if isinstance(value, list | dict | set | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python shows no number of more than 4300 digits; as 0xfff… one can be read
        return f"a {type(value).__name__}"


def plain(value: object) -> str:
    """Return a name as it is, if it can stand in a line."""
    return (
        value
        if isinstance(value, str) and value.isprintable() and len(value) <= 80
        else said(value)
    )
