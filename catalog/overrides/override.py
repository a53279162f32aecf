"""The record of an override, which stands under overrides/<service>/<id>. No I/O.

An override has an owner and an end. It gives instances of one service another weight or drains
them, or leads calls of the service to another address. Fields that are unknown are ignored, so a
later field that narrows what an override does needs another version.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from catalog.errors import Rejected
from catalog.host_port import host_port, split_host_port
from catalog.keys import CONTAINER_SHORT, HOST_ID
from catalog.records.json_object import object_of
from catalog.values.rules import PORT_MAX, WEIGHT_MAX, address_of
from catalog.values.text_types import CANARY, PATH, PRINTABLE, Text, check_count
from catalog.values.value_types import Choice, OrNone, ValueType, Whole

VERSION = 1
OVERRIDE_BYTES_MAX = 4096

State = Literal["", "draining"]
_UNTIL_MAX_S = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
_INSTANCE = Text(
    re.compile(rf"[0-9a-f]{{{CONTAINER_SHORT}}}:[1-9][0-9]{{0,4}}"),
    "an instance such as 77de12f4aa01:8000",
    or_empty=True,
)
_HOST = Text(HOST_ID, "the id of a host", or_empty=True)
_PATH = Text(PATH.pattern, PATH.right, or_empty=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What somebody changes of a service, which instances of it, and until when.

    Raises Rejected.
    """

    by: str
    why: str = ""
    # Unix seconds; 0: for as long as the key stands.
    until_s: int = 0
    # Which instances: one, by the last part of its key, or all of a host.
    instance: str = ""
    host: str = ""
    weight: int | None = None
    state: State = ""
    # Where calls go instead, as `address:port`: all, or those with this header or path.
    to: str = ""
    # `name`, or `name=value`
    header: str = ""
    path: str = ""
    # The service port whose calls these are; None: any.
    port: int | None = None
    # The hosts on which it counts; empty: all.
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value_type in _TYPES.items():
            value_type.check(name, getattr(self, name))

        if not self.by:
            raise Rejected("by: nobody owns it")
        check_count("only", len(self.only))
        for host in self.only:
            _ONE_HOST.check("only", host)
        self._check_target()
        if self.to:
            object.__setattr__(self, "to", _endpoint(self.to, self.only))

    def _check_target(self) -> None:
        """Raise Rejected unless it says what to do, and only to what it can be done."""
        of_instances = self.weight is not None or bool(self.state)
        if of_instances == bool(self.to):
            raise Rejected("give weight and state, or to: it does one of both")
        if of_instances and bool(self.instance) == bool(self.host):
            raise Rejected("give instance or host: it is about one of both")
        if of_instances and (self.header or self.path or self.port is not None):
            raise Rejected("header, path and port: they choose calls for to, which is not there")
        if self.to and (self.instance or self.host):
            raise Rejected("instance and host: to is about a whole service")

    def is_over(self, now_s: float) -> bool:
        """Whether its end has passed, by the clock of the day."""
        return 0 < self.until_s <= now_s

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where `to` leads, as an address and a port."""
        address, port = split_host_port(self.to)
        return address, int(port)


_ONE_HOST = Text(HOST_ID, "the id of a host")
_TYPES: Mapping[str, ValueType] = {
    "by": PRINTABLE,
    "why": PRINTABLE,
    "until_s": Whole(0, _UNTIL_MAX_S),
    "instance": _INSTANCE,
    "host": _HOST,
    "weight": OrNone(Whole(0, WEIGHT_MAX)),
    "state": Choice(("", "draining")),
    "header": CANARY,
    "path": _PATH,
    "port": OrNone(Whole(1, PORT_MAX)),
}


def _endpoint(text: object, only: tuple[str, ...]) -> str:
    """Return `address:port` in its one spelling, if every host that obeys may dial it."""
    if not isinstance(text, str):
        raise Rejected(f"to: {text!r:.80} is not such as 192.0.2.77:9000")

    host, port = split_host_port(text)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > PORT_MAX:
        raise Rejected(f"to: {text!r:.80} has no port, as 192.0.2.77:9000 has")

    try:
        address = ipaddress.ip_address(address_of(host))
    except Rejected as error:
        raise Rejected(f"to: {text!r:.80} is not an IP address and a port") from error
    # A link-local address is another machine on each link: such as a cloud's own metadata.
    if address.is_link_local:
        raise Rejected(f"to: {text!r:.80} is link-local: no other host can dial it")
    if address.is_loopback and len(only) != 1:
        raise Rejected(f"to: {text!r:.80} is another machine on each host: name one with only")
    return host_port(str(address), int(port))


def encode(override: Override) -> bytes:
    """Return the canonical JSON of an override: the same one gives the same bytes."""
    document: dict[str, Any] = {"v": VERSION}
    for each in fields(override):
        value = getattr(override, each.name)
        if value not in ("", None, ()) and each.name != "until_s":
            document[each.name] = list(value) if isinstance(value, tuple) else value

    if override.until_s:
        document["until"] = moment_of(override.until_s)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def decode(value: bytes) -> Override:
    """Return the override in a value, ignoring unknown fields. Raises Rejected."""
    document = object_of(value, "override", OVERRIDE_BYTES_MAX)
    if document.get("v") != VERSION:
        raise Rejected(f"v: {document.get('v')!r:.40} is an unknown version, expected {VERSION}")

    names = {each.name for each in fields(Override)} - {"until_s"}
    known = {name: document[name] for name in names & document.keys()}
    if "only" in known:
        known["only"] = _hosts(known["only"])
    return Override(**{"by": "", **known}, until_s=_seconds(document.get("until", 0)))


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Rejected(f"only: {value!r:.80} is not a list of hosts")
    return tuple(value)


def moment_of(until_s: int) -> str:
    """Return a time of unix seconds as RFC 3339 has it."""
    return datetime.fromtimestamp(until_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sentence(override: Override) -> str:
    """Return what it does, by whom, until when and why, for people."""
    what = "drained" if override.state else f"weight {override.weight}"
    what = f"calls go to {override.to}" if override.to else what
    with_host = f" with host {override.host}" if override.host else ""
    until = f" until {moment_of(override.until_s)}" if override.until_s else ""
    why = f": {override.why}" if override.why else ""
    return f"{what}{with_host} by {override.by}{until}{why}"


def _seconds(value: object) -> Any:
    """Return unix seconds from those, or from a time in RFC 3339."""
    if not isinstance(value, str):
        return value  # a number, or refused

    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year > 9998:
        raise Rejected(f"until: {value!r:.40} is not a time such as 2026-11-26T18:00:00Z")
    return max(1, int(moment.timestamp()))
