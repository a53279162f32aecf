"""How the services file is read: the words of the vocabulary, and each server's address. No I/O."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from catalog.errors import Rejected
from catalog.records.record import Check
from catalog.values.value_types import PORT, shown
from catalog.values.vocabulary import SETTINGS, Setting, check_of

_PORT = re.compile(r"[0-9]{1,5}")
ENDPOINT = "an address and a port, such as 10.0.0.5:5432"
ENDPOINT_IPV6 = f"{ENDPOINT} or [2001:db8::5]:5432"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the services file: the setting's field that it fills, and how it is read."""

    field: str
    read: Callable[[object], Any]


def _words_of(settings: Iterable[Setting]) -> Mapping[str, Word]:
    return {
        setting.word.removeprefix("check."): Word(setting.field, setting.type.from_file)
        for setting in settings
    }


def _check(value: object) -> Check:
    if value is False:
        return Check("none")
    words = mapping(value, "{http: /health}, or false for none")
    return check_of(read(words, CHECK_WORDS))


_TOP = [setting for setting in SETTINGS if setting.word and "." not in setting.word]
CHECK_WORDS = _words_of(setting for setting in SETTINGS if setting.word.startswith("check."))
SERVER_WORDS = _words_of(setting for setting in _TOP if setting.scope == "instance")
SERVICE_WORDS = {**_words_of(_TOP), "check": Word("check", _check)}


def read(
    given: Mapping[Any, Any], words: Mapping[str, Word], others: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the values of these words, by `Setting.field`; `others` may stand there as well."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in words:
            known = ", ".join(sorted({*words, *others}))
            refuse(f"{shown(name)} is not a key here; the keys are {known}")

        word = words[name]
        try:
            values[word.field] = word.read(value)
        except Rejected as error:
            raise Rejected(f"{name}: {error}") from error

    return values


def endpoint(text: str) -> tuple[str, int | None]:
    """Return address and port of `10.0.0.5:5432` or `[2001:db8::5]:5432`; None for no port."""
    host, port = _split(text)
    if port is None:
        return address_of(host), None

    if not _PORT.fullmatch(port):
        refuse(f"{shown(text)} is not {ENDPOINT_IPV6}")
    return address_of(host), int(port)


def _split(text: str) -> tuple[str, str | None]:
    """Return host and port, neither read; an IPv6 address with a port stands in brackets."""
    if text.startswith("[") and "]" in text:
        host, _, rest = text.removeprefix("[").partition("]")
        if rest and not rest.startswith(":"):
            refuse(f"{shown(text)} is not {ENDPOINT_IPV6}")
        return host, rest.removeprefix(":") if rest else None

    host, colon, port = text.partition(":")
    if ":" in port:
        refuse(f"{shown(text)} is not {ENDPOINT_IPV6}")
    return host, port if colon else None


def address_of(value: object) -> str:
    """Return an IP address in its one spelling."""
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        wrong = "is not an IP address"
        if _is_name(value):
            wrong = "is a host name; servers are IP addresses"
        raise Rejected(f"address: {shown(value)} {wrong}, such as 10.0.0.5") from error


def _is_name(value: object) -> bool:
    if not isinstance(value, str) or ":" in value:
        return False
    return any(map(str.isalpha, value))


def port_of(value: object) -> int:
    """Return a number that a port can have."""
    port: int = PORT.from_file(value)
    return port


def mapping(value: object, right: str) -> Mapping[Any, Any]:
    """Return what has names; `right` says what that would be."""
    if value is None:
        refuse(f"nothing is there; expected {right}")
    if not isinstance(value, dict):
        refuse(f"{shown(value)} is not {right}")
    return MappingProxyType(value)


def refuse(text: str) -> NoReturn:
    """Raise Rejected; a call tells the type checker that nothing follows."""
    raise Rejected(text)
