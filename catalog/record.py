"""The record of one instance: its rules and its bytes. No I/O, no keys, no etcd.

Everything that can reach haproxy.cfg is checked here, when an Instance is made, so that both ends apply the
same rules: the registrar to labels, the discoverer to whatever anybody wrote to etcd.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, NoReturn, get_args

from catalog.errors import Rejected

VERSION = 1
RECORD_BYTES_MAX = 8192  # an honest record has under 1 kB; a flood of large ones must not fill every host's memory

Mode = Literal["tcp", "http"]
Role = Literal["real", "stub"]
State = Literal["ready", "draining"]
Balance = Literal["roundrobin", "leastconn", "random", "source"]
Sticky = Literal["none", "cookie"]
Retry = Literal["connect", "idempotent", "all"]
CheckKind = Literal["tcp", "http", "none"]
Panic = Literal["on", "off"]  # whether all are called when the http checks of all fail
OnAbsence = Literal["keep", "drop"]  # what becomes of it when its host's lease ends and nobody says that it stopped

SERVICE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
# RFC 1035 section 2.3.4: at most 63 octets in a label, 255 in a name, which as text leaves 253.
HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
# RFC 3986 section 3.3 without what HAProxy's configuration would read as its own: quotes, $, #, \ and space.
CHECK_PATH = re.compile(r"/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,254}")
# Printable, one line, and no half of a surrogate pair: JSON can carry one ("\\ud800"), no file can.
TEXT = re.compile(r"[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]{0,255}")
WEIGHT_MAX = 256  # HAProxy configuration manual, section 5.2 "weight"
DURATION_MS_MAX = 24 * 3600 * 1000
ITEMS_MAX = 64


@dataclass(frozen=True, slots=True)
class Check:
    """The health check that HAProxy makes; None leaves the choice to the discoverer."""

    kind: CheckKind = "tcp"
    path: str = "/"
    interval_ms: int | None = None
    timeout_ms: int | None = None

    def __post_init__(self) -> None:
        _one_of("check.kind", self.kind, get_args(CheckKind))
        _matches("check.path", self.path, CHECK_PATH, "a path such as /health")
        for name in ("interval_ms", "timeout_ms"):
            if (value := getattr(self, name)) is not None:
                _between(f"check.{name}", value, 100, DURATION_MS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running copy of a service: one port of one container, at an address that other hosts can dial.

    `port` is the one to dial at `address`; `container_port` the one inside the container; `service_port` the one
    that callers dial on their own host, or None to have one claimed from PORT_RANGE. Raises Rejected.
    """

    service: str
    address: str
    port: int
    container: str
    container_port: int
    service_port: int | None
    mode: Mode = "tcp"
    role: Role = "real"
    state: State = "ready"
    weight: int = 100
    container_name: str = ""
    image: str = ""
    zone: str = ""
    hosts: tuple[str, ...] = ()
    check: Check = field(default_factory=Check)
    balance: Balance | None = None
    sticky: Sticky = "none"
    timeout_ms: int | None = None
    retry: Retry = "idempotent"
    panic: Panic = "on"
    on_absence: OnAbsence = "keep"
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _matches("service", self.service, SERVICE_NAME, "lower-case letters, digits and -, at most 63")
        object.__setattr__(self, "address", _address(self.address))
        _matches("container", self.container, CONTAINER_ID, "64 hexadecimal digits")
        for name in ("port", "container_port"):
            _between(name, getattr(self, name), 1, 65535)
        if self.service_port is not None:
            _between("service_port", self.service_port, 1, 65535)
        if self.timeout_ms is not None:
            _between("timeout_ms", self.timeout_ms, 1, DURATION_MS_MAX)
        _between("weight", self.weight, 0, WEIGHT_MAX)
        for name, choices in _CHOICES.items():
            _one_of(name, getattr(self, name), choices)
        self._check_texts()

    def _check_texts(self) -> None:
        for name in ("container_name", "image", "zone"):
            _matches(name, getattr(self, name), TEXT, "printable text of at most 255 characters")
        for name in ("hosts", "tags", "attributes"):
            if len(getattr(self, name)) > ITEMS_MAX:
                raise Rejected(f"{name}: {len(getattr(self, name))} items, at most {ITEMS_MAX} are kept")
        for host in self.hosts:
            _matches("hosts", host, HOST_NAME, "a host name, or one with a leading *.")
        for text in (*self.tags, *self.attributes, *self.attributes.values()):
            _matches("tags and attributes", text, TEXT, "printable text of at most 255 characters")
        # A mapping cannot be frozen by the dataclass; a sorted read-only copy can be compared and never changes.
        object.__setattr__(self, "attributes", MappingProxyType(dict(sorted(self.attributes.items()))))
        if (size := len(encode(self))) > RECORD_BYTES_MAX:
            raise Rejected(f"record: {size} bytes, at most {RECORD_BYTES_MAX} are read; shorten tags and attributes")


_CHOICES: Mapping[str, tuple[object, ...]] = {
    "mode": get_args(Mode),
    "role": get_args(Role),
    "state": get_args(State),
    "balance": (None, *get_args(Balance)),
    "sticky": get_args(Sticky),
    "retry": get_args(Retry),
    "panic": get_args(Panic),
    "on_absence": get_args(OnAbsence),
}


_NAMES = tuple(f.name for f in fields(Instance))
_CHECK_NAMES = tuple(f.name for f in fields(Check))


def encode(instance: Instance) -> bytes:
    """Return the canonical JSON of an instance: the same instance gives the same bytes."""
    document: dict[str, Any] = {name: getattr(instance, name) for name in _NAMES}
    document["v"] = VERSION
    document["check"] = {name: getattr(instance.check, name) for name in _CHECK_NAMES}
    document["attributes"] = dict(instance.attributes)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def decode(value: bytes) -> Instance:
    """Return the instance in a record. Unknown fields are ignored; another major version raises Rejected."""
    document = _document(value)
    if document.get("v") != VERSION:
        raise Rejected(f"v: {document.get('v')!r:.40} is not a version that is known here ({VERSION})")
    try:
        return Instance(**_known(Instance, document, _FIELDS))
    except TypeError as error:  # a required field is missing: Python's own message names it
        raise Rejected(f"record: {error}") from error


def _document(value: bytes) -> dict[str, Any]:
    if len(value) > RECORD_BYTES_MAX:
        raise Rejected(f"record: {len(value)} bytes, at most {RECORD_BYTES_MAX} are read")
    try:
        document = json.loads(value, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"record: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Rejected(f"record: {type(document).__name__} instead of a JSON object")
    return document


def _known(kind: type[Any], document: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {name: readers.get(name, lambda value: value)(document[name]) for name in names & document.keys()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259, section 6)")


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Rejected(f"hosts and tags: {value!r:.80} is not a list of texts")
    return tuple(value)


def _attributes(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise Rejected(f"attributes: {value!r:.80} is not an object of texts")
    return value


def _check(value: Any) -> Check:
    if not isinstance(value, dict):
        raise Rejected(f"check: {value!r:.80} is not an object")
    return Check(**_known(Check, value, {}))


_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "hosts": _texts,
    "tags": _texts,
    "attributes": _attributes,
    "check": _check,
}


def _address(value: object) -> str:
    try:
        # Only texts: ip_address() takes whole numbers too.
        address = ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Rejected(f"address: {value!r:.80} is not an IP address") from error
    if address.is_unspecified or address.is_multicast or "%" in str(address):
        raise Rejected(f"address: {value!r:.80} is not the address of one machine")
    return str(address)


def _matches(name: str, value: object, pattern: re.Pattern[str], right: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Rejected(f"{name}: {value!r:.80} is not {right}")


def _between(name: str, value: object, low: int, high: int) -> None:
    # bool is an int to Python, but true is no port
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Rejected(f"{name}: {value!r:.80} is not a whole number from {low} to {high}")


def _one_of(name: str, value: object, choices: tuple[object, ...]) -> None:
    if not isinstance(value, str | None) or value not in choices:
        raise Rejected(f"{name}: {value!r:.80} is not one of {', '.join(map(str, choices))}")
