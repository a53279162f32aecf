"""The record of one instance: its rules and its bytes. No I/O, no keys, no etcd.

Everything that can reach haproxy.cfg is checked here, when an Instance is made, so that both ends apply the
same rules: the registrar to labels, the discoverer to whatever anybody wrote to etcd.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, NoReturn, get_args

from catalog.errors import Rejected
from catalog.rules import (
    CHECK_PATH,
    CONNECTIONS_MAX,
    CONTAINER_ID,
    DURATION_MS_MAX,
    HEADER_IS,
    HEADER_NAME,
    HOST_NAME,
    ITEMS_MAX,
    PATH_PREFIX,
    PLAIN_HOST_NAME,
    SERVICE_NAME,
    STATUS_CODES,
    STUB_POLICY,
    TEXT,
    WEIGHT_MAX,
    address_of,
    between,
    matches,
    one_of,
)

VERSION = 1
RECORD_BYTES_MAX = (
    8192  # an honest record has under 1 kB; a flood of large ones must not fill every host's memory
)

Mode = Literal["tcp", "http"]
Role = Literal["real", "stub"]
State = Literal["ready", "draining"]
Balance = Literal["roundrobin", "leastconn", "random", "source"]
Sticky = Literal["none", "cookie"]
Retry = Literal["connect", "idempotent", "all"]
CheckKind = Literal["tcp", "http", "none"]
Panic = Literal["on", "off"]  # whether all are called when the http checks of all fail
Proto = Literal[
    "h1", "h2c"
]  # what instances of an http service speak: h2c is HTTP/2 without TLS, as gRPC has it
Locality = Literal[
    "any", "zone", "host"
]  # how near an instance has to be while one as near can be called
OnAbsence = Literal[
    "keep", "drop"
]  # what becomes of it when its host's lease ends and nobody says that it stopped


@dataclass(frozen=True, slots=True)
class Check:
    """The health check that HAProxy makes; None, or an empty text, leaves the choice to the discoverer.

    With `grpc` it asks grpc.health.v1 instead, where the discoverer knows how to; `kind` is then for one that does not.
    """

    kind: CheckKind = "tcp"
    path: str = "/"
    interval_ms: int | None = None
    timeout_ms: int | None = None
    grpc: bool = False
    status: str = ""
    host: str = ""

    def __post_init__(self) -> None:
        one_of("check.kind", self.kind, get_args(CheckKind))
        matches("check.path", self.path, CHECK_PATH, "a path such as /health")
        for name in ("interval_ms", "timeout_ms"):
            if (value := getattr(self, name)) is not None:
                between(f"check.{name}", value, 100, DURATION_MS_MAX)
        if not isinstance(self.grpc, bool):
            raise Rejected(f"check.grpc: {self.grpc!r:.80} is not true or false")
        if self.status:
            matches(
                "check.status", self.status, STATUS_CODES, "status codes such as 200 or 200-299,404"
            )
        if self.host:
            matches("check.host", self.host, PLAIN_HOST_NAME, "a host name")


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
    stub_policy: str = "supersede"
    paths: tuple[str, ...] = ()
    proto: Proto = "h1"
    hash_header: str = ""  # the same value of this header goes to the same instance; beats balance
    slow_start_ms: int | None = None
    maxconn: int | None = None
    canary: str = (
        ""  # a header, or header=value: only calls with it, besides those that its weight gives it
    )
    locality: Locality = "any"
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        matches(
            "service", self.service, SERVICE_NAME, "lower-case letters, digits and -, at most 63"
        )
        object.__setattr__(self, "address", address_of(self.address))
        matches("container", self.container, CONTAINER_ID, "64 hexadecimal digits")
        for name in ("port", "container_port"):
            between(name, getattr(self, name), 1, 65535)
        if self.service_port is not None:
            between("service_port", self.service_port, 1, 65535)
        for name, most in (
            ("timeout_ms", DURATION_MS_MAX),
            ("slow_start_ms", DURATION_MS_MAX),
            ("maxconn", CONNECTIONS_MAX),
        ):
            if getattr(self, name) is not None:
                between(name, getattr(self, name), 1, most)
        between("weight", self.weight, 0, WEIGHT_MAX)
        for name, choices in _CHOICES.items():
            one_of(name, getattr(self, name), choices)
        self._check_texts()

    def _check_texts(self) -> None:
        for name in ("container_name", "image", "zone"):
            matches(name, getattr(self, name), TEXT, "printable text of at most 255 characters")
        matches(
            "stub_policy", self.stub_policy, STUB_POLICY, "supersede, fallback, pin or share=N%"
        )
        for name, pattern in (("hash_header", HEADER_NAME), ("canary", HEADER_IS)):
            if getattr(self, name):
                matches(name, getattr(self, name), pattern, "the name of a header")
        for name in ("hosts", "paths", "tags", "attributes"):
            if len(getattr(self, name)) > ITEMS_MAX:
                raise Rejected(
                    f"{name}: {len(getattr(self, name))} items, at most {ITEMS_MAX} are kept"
                )
        for host in self.hosts:
            matches("hosts", host, HOST_NAME, "a host name, or one with a leading *.")
        for path in self.paths:
            matches("paths", path, PATH_PREFIX, "the beginning of a path, such as /api")
        for text in (*self.tags, *self.attributes, *self.attributes.values()):
            matches("tags and attributes", text, TEXT, "printable text of at most 255 characters")
        # A mapping cannot be frozen by the dataclass; a sorted read-only copy can be compared and never changes.
        object.__setattr__(
            self, "attributes", MappingProxyType(dict(sorted(self.attributes.items())))
        )
        if (size := len(encode(self))) > RECORD_BYTES_MAX:
            raise Rejected(
                f"record: {size} bytes, at most {RECORD_BYTES_MAX} are read; shorten tags and attributes"
            )


_CHOICES: Mapping[str, tuple[object, ...]] = {
    "mode": get_args(Mode),
    "role": get_args(Role),
    "state": get_args(State),
    "balance": (None, *get_args(Balance)),
    "sticky": get_args(Sticky),
    "retry": get_args(Retry),
    "panic": get_args(Panic),
    "proto": get_args(Proto),
    "locality": get_args(Locality),
    "on_absence": get_args(OnAbsence),
}


# What the first records did not have is written only if it says something: so the bytes of all others stay the same
# when a newer registrar takes over.
_LATER = frozenset(
    {
        "stub_policy",
        "paths",
        "proto",
        "hash_header",
        "slow_start_ms",
        "maxconn",
        "canary",
        "locality",
    }
    | {"grpc", "status", "host"}
)
_NAMES, _CHECK_NAMES = (
    tuple(f.name for f in fields(kind) if f.name not in _LATER) for kind in (Instance, Check)
)
_ADDED, _CHECK_ADDED = (
    tuple((f.name, f.default) for f in fields(kind) if f.name in _LATER)
    for kind in (Instance, Check)
)


def encode(instance: Instance) -> bytes:
    """Return the canonical JSON of an instance: the same instance gives the same bytes."""
    document = _said(instance, _NAMES, _ADDED)
    document["v"] = VERSION
    document["check"] = _said(instance.check, _CHECK_NAMES, _CHECK_ADDED)
    document["attributes"] = dict(instance.attributes)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _said(thing: Any, names: tuple[str, ...], added: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    said = {name: getattr(thing, name) for name in names}
    for name, default in added:
        if (value := getattr(thing, name)) != default:
            said[name] = value
    return said


def decode(value: bytes) -> Instance:
    """Return the instance in a record. Unknown fields are ignored; another major version raises Rejected."""
    document = _document(value)
    if document.get("v") != VERSION:
        raise Rejected(
            f"v: {document.get('v')!r:.40} is not a version that is known here ({VERSION})"
        )
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


def _known(
    kind: type[Any], document: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {
        name: readers.get(name, lambda value: value)(document[name])
        for name in names & document.keys()
    }


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259, section 6)")


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Rejected(f"hosts, paths and tags: {value!r:.80} is not a list of texts")
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
    "paths": _texts,
    "tags": _texts,
    "attributes": _attributes,
    "check": _check,
}
