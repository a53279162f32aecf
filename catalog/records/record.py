"""The record of one instance: its fields, what each may hold, and its bytes. No I/O, no keys.

Everything that can reach haproxy.cfg is checked here, when an Instance is made. So both ends apply
the same rules: docker-register to labels, docker-discover to whatever anybody wrote to etcd.

A field names its type of value in its annotation, and all else follows from that: how it is
checked, encoded and decoded here, and how `catalog/values/vocabulary.py` reads it from what people
write.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

from catalog.errors import Rejected
from catalog.records.json_object import object_of
from catalog.values.rules import CONNECTIONS_MAX, WEIGHT_MAX, address_of
from catalog.values.text_types import (
    CANARY,
    CHECK_HOST,
    CHECK_PATH,
    CONTAINER,
    HASH_HEADER,
    HOST,
    ORIGIN,
    PATH,
    PRINTABLE,
    SERVICE,
    STATUS_CODES,
    STUB_POLICY,
    STUB_UNTIL,
    BalanceMethod,
    Tags,
    Texts,
    check_count,
)
from catalog.values.value_types import (
    PORT,
    Choice,
    ChoiceOrOff,
    Duration,
    Flag,
    OrNone,
    ServicePort,
    Switch,
    ValueType,
    Whole,
)

VERSION = 1
# An honest record has under 1 kB; a flood of large ones must not fill every host's memory.
RECORD_BYTES_MAX = 8192
TIME_MS_MAX = 2**53 - 1  # what every reader of JSON keeps exact

Mode = Literal["tcp", "http"]
Role = Literal["real", "stub"]
State = Literal["ready", "draining"]
Balance = Literal["roundrobin", "leastconn", "random", "source"]
Sticky = Literal["none", "cookie"]
Retry = Literal["connect", "idempotent", "all"]
# whether a connection to an instance is kept for the next request: HAProxy's http-reuse
Reuse = Literal["safe", "always", "never"]
CheckKind = Literal["tcp", "http", "none"]
# whether all instances are called when the http checks of all fail
Panic = Literal["on", "off"]
# what instances of an http service speak: h2c is HTTP/2 without TLS, as gRPC needs it
Proto = Literal["h1", "h2c"]
# how near an instance has to be while one as near can be called
Locality = Literal["any", "zone", "host"]
# which calls are logged: those that went wrong, all, or none
Log = Literal["errors", "all", "off"]
# what becomes of an instance when its host's lease ends and nobody says that it stopped
OnAbsence = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class Check:
    """The health check that HAProxy makes; None or "" leaves the choice to docker-discover.

    With `grpc` HAProxy asks grpc.health.v1. A docker-discover that cannot do that heeds `kind`.
    """

    kind: Annotated[CheckKind, Choice(get_args(CheckKind))] = "tcp"
    path: Annotated[str, CHECK_PATH] = "/"
    interval_ms: Annotated[int | None, OrNone(Duration(100))] = None
    timeout_ms: Annotated[int | None, OrNone(Duration(100))] = None
    # What the first records did not have is below: encode leaves out what has its default.
    grpc: Annotated[bool, Flag()] = False
    status: Annotated[str, STATUS_CODES] = ""
    host: Annotated[str, CHECK_HOST] = ""

    def __post_init__(self) -> None:
        for name, value_type in _CHECK_TYPES.items():
            value_type.check(f"check.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running copy of a service: one port of one container, which other hosts can dial.

    Callers dial `service_port` on their own host; None has one claimed from PORT_RANGE. HAProxy
    dials `port` at `address`; inside the container that is `container_port`. Raises Rejected.
    """

    service: Annotated[str, SERVICE]
    address: str
    port: Annotated[int, PORT]
    container: Annotated[str, CONTAINER]
    container_port: Annotated[int, PORT]
    service_port: Annotated[int | None, ServicePort()]
    mode: Annotated[Mode, Choice(get_args(Mode))] = "tcp"
    role: Annotated[Role, Choice(get_args(Role))] = "real"
    state: Annotated[State, Choice(get_args(State))] = "ready"
    weight: Annotated[int, Whole(0, WEIGHT_MAX)] = 100
    container_name: Annotated[str, PRINTABLE] = ""
    image: Annotated[str, PRINTABLE] = ""
    zone: Annotated[str, PRINTABLE] = ""
    hosts: Annotated[tuple[str, ...], Texts(HOST)] = ()
    check: Check = field(default_factory=Check)
    balance: Annotated[Balance | None, BalanceMethod(get_args(Balance))] = None
    sticky: Annotated[Sticky, Choice(get_args(Sticky))] = "none"
    timeout_ms: Annotated[int | None, OrNone(Duration(1))] = None
    retry: Annotated[Retry, Choice(get_args(Retry))] = "idempotent"
    panic: Annotated[Panic, Switch(get_args(Panic))] = "on"
    on_absence: Annotated[OnAbsence, Choice(get_args(OnAbsence))] = "keep"
    tags: Annotated[tuple[str, ...], Tags()] = ()
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # What the first records did not have is below: encode leaves out what has its default.
    stub_policy: Annotated[str, STUB_POLICY] = "supersede"
    paths: Annotated[tuple[str, ...], Texts(PATH)] = ()
    proto: Annotated[Proto, Choice(get_args(Proto))] = "h1"
    # calls with the same value of this header go to the same instance; beats balance
    hash_header: Annotated[str, HASH_HEADER] = ""
    slow_start_ms: Annotated[int | None, OrNone(Duration(1))] = None
    maxconn: Annotated[int | None, OrNone(Whole(1, CONNECTIONS_MAX))] = None
    # a header, or header=value: calls with it go here, besides those that the weight brings
    canary: Annotated[str, CANARY] = ""
    locality: Annotated[Locality, Choice(get_args(Locality))] = "any"
    # None: kept, unless `retry` says that nothing may be sent twice
    reuse: Annotated[Reuse | None, OrNone(Choice(get_args(Reuse)))] = None
    # by what the service got its default name (origin.py); empty if it was given one
    origin: Annotated[str, ORIGIN] = ""
    # the container did not ask for its own port, which is one of the host's: so it names none
    port_reserved: Annotated[bool, Flag()] = False
    # for people: the last day on which a stub is meant to answer, such as 2026-06-01
    stub_until: Annotated[str, STUB_UNTIL] = ""
    # None: as each docker-discover's ACCESS_LOG says
    log: Annotated[Log | None, OrNone(ChoiceOrOff(get_args(Log)))] = None
    # when the container was started, by its engine's clock, since 1970: the same for its whole life
    started_ms: Annotated[int | None, OrNone(Whole(1, TIME_MS_MAX))] = None
    # why a draining instance drains, in a word of docker-register's; a newer one may have others
    leaving: Annotated[str, PRINTABLE] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", address_of(self.address))
        for name, value_type in _INSTANCE_TYPES.items():
            value_type.check(name, getattr(self, name))

        _check_attributes(self.attributes)
        # The dataclass cannot freeze a mapping; a sorted read-only copy compares and never changes.
        attributes = MappingProxyType(dict(sorted(self.attributes.items())))
        object.__setattr__(self, "attributes", attributes)

        size = len(encode(self))
        if size > RECORD_BYTES_MAX:
            raise Rejected(
                f"record: {size} bytes, at most {RECORD_BYTES_MAX} are read;"
                " shorten tags and attributes"
            )


def _check_attributes(attributes: Mapping[str, str]) -> None:
    check_count("attributes", len(attributes))
    for text in (*attributes, *attributes.values()):
        PRINTABLE.check("tags and attributes", text)


def _types_of(record: type[Check | Instance]) -> Mapping[str, ValueType]:
    """Return the types of value that a class names in its annotations, by field."""
    types: dict[str, ValueType] = {}
    for each_field in fields(record):
        if get_origin(each_field.type) is Annotated:
            types[each_field.name] = get_args(each_field.type)[1]

    return types


_INSTANCE_TYPES = _types_of(Instance)
_CHECK_TYPES = _types_of(Check)
# The same by the names that messages use.
TYPES: Mapping[str, ValueType] = {
    **_INSTANCE_TYPES,
    **{f"check.{name}": value_type for name, value_type in _CHECK_TYPES.items()},
}
DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(Instance)}


def _first_and_later(
    record: type[Check | Instance], first_later: str
) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Return the fields of the first records, and the later ones with their defaults.

    A later field that has its default is not written: so the bytes of all other records stay the
    same when a newer docker-register takes over.
    """
    names = [f.name for f in fields(record)]
    count = names.index(first_later)

    later = {f.name: f.default for f in fields(record)[count:]}
    return tuple(names[:count]), later


FIRST_FIELDS, LATER_FIELDS = _first_and_later(Instance, "stub_policy")
FIRST_CHECK_FIELDS, LATER_CHECK_FIELDS = _first_and_later(Check, "grpc")


def encode(instance: Instance) -> bytes:
    """Return the canonical JSON of an instance: the same instance gives the same bytes."""
    document = _written(instance, FIRST_FIELDS, LATER_FIELDS)
    document["v"] = VERSION
    document["check"] = _written(instance.check, FIRST_CHECK_FIELDS, LATER_CHECK_FIELDS)
    document["attributes"] = dict(instance.attributes)

    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return text.encode()


def _written(
    values: Check | Instance, first: Sequence[str], later: Mapping[str, Any]
) -> dict[str, Any]:
    document = {name: getattr(values, name) for name in first}
    for name, default in later.items():
        value = getattr(values, name)
        if value != default:
            document[name] = value

    return document


def decode(value: bytes) -> Instance:
    """Return the instance in a record. Unknown fields are ignored; raises Rejected."""
    document = object_of(value, "record", RECORD_BYTES_MAX)
    if document.get("v") != VERSION:
        raise Rejected(f"v: {document.get('v')!r:.40} is an unknown version, expected {VERSION}")

    known = {name: document[name] for name in DEFAULTS.keys() & document.keys()}
    for name, value_of in _NOT_AS_IN_JSON.items():
        if name in known:
            known[name] = value_of(known[name])

    try:
        return Instance(**known)
    except TypeError as error:
        # a required field is missing: Python's own message names it
        raise Rejected(f"record: {error}") from error


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not _are_texts(value):
        raise Rejected(f"hosts, paths and tags: {value!r:.80} is not a list of strings")
    return tuple(value)


def _attributes(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not _are_texts(value.values()):
        raise Rejected(f"attributes: {value!r:.80} is not an object of strings")
    return value


def _check(value: Any) -> Check:
    if not isinstance(value, dict):
        raise Rejected(f"check: {value!r:.80} is not an object")

    known = {name: value[name] for name in _CHECK_TYPES.keys() & value.keys()}
    return Check(**known)


_NOT_AS_IN_JSON: Mapping[str, Callable[[Any], Any]] = {
    "check": _check,
    "attributes": _attributes,
    **{
        name: _texts
        for name, value_type in _INSTANCE_TYPES.items()
        if isinstance(value_type, Texts)
    },
}
