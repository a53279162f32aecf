"""The contract's labels: which there are, how each is read, which one wins. No I/O, no decisions about ports.

A label beats an environment variable of the same name; SERVICE_<port>_X beats SERVICE_X, wherever each stands, as
in registrator. Docker merges the image's labels and variables into the container's own, so an image's default is
told from neither: an image's label beats a container's variable. An empty text counts as not given, so an empty
label takes a variable back.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from catalog.errors import Rejected
from catalog.record import (
    CHECK_PATH,
    DURATION_MS_MAX,
    HOST_NAME,
    ITEMS_MAX,
    TEXT,
    WEIGHT_MAX,
    Balance,
    Check,
    Mode,
    OnAbsence,
    Panic,
    Retry,
    Role,
    Sticky,
)
from register.container import Container
from sidecar.options import boolean, one_of

_KEY = re.compile(r"SERVICE_(?:([1-9][0-9]{0,4})_)?(.+)", re.DOTALL)
_WHOLE = re.compile(r"[0-9]{1,9}")
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_NOT_ESCAPED_COMMA = re.compile(r"(?<!\\),")
# What goes to etcd is read by every host: a variable such as SERVICE_DB_PASSWORD was never meant as an attribute.
_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|AUTH|DSN|KEY(?:_|$)")
_SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@|PRIVATE KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLabels:
    """What labels say about one port, read and checked; defaults are the contract's."""

    ignore: bool = False
    port: int | Literal["auto"] | None = None
    mode: Mode = "tcp"
    hosts: tuple[str, ...] = ()
    role: Role = "real"
    weight: int = 100
    check_path: str | None = None
    check_tcp: bool = True
    check_interval_ms: int | None = None
    check_timeout_ms: int | None = None
    balance: Balance | None = None
    sticky: Sticky = "none"
    timeout_ms: int | None = None
    retry: Retry = "idempotent"
    panic: Panic = "on"
    on_absence: OnAbsence = "keep"
    network: str | None = None
    address: str | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def check(self) -> Check:
        """The health check that HAProxy is to make."""
        interval_ms, timeout_ms = self.check_interval_ms, self.check_timeout_ms
        if self.check_path is not None:
            return Check("http", self.check_path, interval_ms=interval_ms, timeout_ms=timeout_ms)
        return Check("tcp" if self.check_tcp else "none", interval_ms=interval_ms, timeout_ms=timeout_ms)


@dataclass(frozen=True, slots=True)
class Text:
    """A label as it was given: the whole name, for messages, and the text."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one container that are for us, not yet read; their names are without SERVICE_."""

    container: str
    general: Mapping[str, Text]
    by_port: Mapping[int, Mapping[str, Text]]

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that per-port labels name, to be ignored or not."""
        return tuple(sorted(self.by_port))

    def specific(self, port: int) -> Mapping[str, Text]:
        """What only this port was given."""
        return self.by_port.get(port, {})

    def of(self, port: int) -> Mapping[str, Text]:
        """What holds for a port."""
        specific = self.specific(port)
        # The two kinds of check are one choice: a tcp check for one port beats an http check for all.
        hidden = _CHECK_KINDS if _CHECK_KINDS & specific.keys() else frozenset()
        return {name: text for name, text in self.general.items() if name not in hidden} | dict(specific)

    def asks(self, port: int | None = None) -> bool:
        """Whether a setting of the contract, other than IGNORE, is given for this port or for all."""
        given = self.general.keys() if port is None else self.of(port).keys()
        return bool((given & (SETTINGS.keys() | {"NAME"})) - {"IGNORE"})


def labels_of(container: Container) -> Labels:
    """Return a container's SERVICE_ labels and variables, and VIRTUAL_HOST. Never fails: nothing is read yet."""
    general: dict[str, Text] = {}
    by_port: dict[int, dict[str, Text]] = {}
    given = {**container.env, **container.labels}
    if given.get("VIRTUAL_HOST"):
        general["HOSTS"] = Text("VIRTUAL_HOST", given["VIRTUAL_HOST"])
    for key, value in given.items():
        if value and (match := _KEY.fullmatch(key)):
            port = int(match[1] or 0)
            names = general if port == 0 else by_port.setdefault(port, {})
            names[match[2].upper()] = Text(key, value)
    return Labels(container.name, general, {port: texts for port, texts in by_port.items() if port <= 65535})


def read(labels: Labels, port: int) -> PortLabels:
    """Return what the labels say about a port. Raises Rejected: which label of which container, seen, right."""
    values: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for name, text in labels.of(port).items():
        setting = SETTINGS.get(name)
        if setting is not None:
            values[setting.field] = _read(setting.read, text, labels.container)
        elif name != "NAME" and _is_attribute(name, text.value):
            attributes[name.lower()] = text.value
    return PortLabels(**values, attributes=MappingProxyType(dict(sorted(attributes.items())[:ITEMS_MAX])))


def _is_attribute(name: str, value: str) -> bool:
    """Whether something free is kept: no secret, and text. What is no setting of ours is no mistake either."""
    if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value):
        return False
    return bool(TEXT.fullmatch(name.lower()) and TEXT.fullmatch(value))


def _read(reader: Callable[[str], Any], text: Text, container: str) -> Any:
    try:
        return reader(_printable(text.value))
    except Rejected as error:
        raise Rejected(f"{ascii(text.key)[1:-1]:.80} of {container}: {error}") from error


def _printable(text: str) -> str:
    if not TEXT.fullmatch(text):
        raise Rejected(f"{text!a:.80} is not printable text of at most 255 characters")
    return text


def _whole(low: int, high: int, also: str = "") -> Callable[[str], int]:
    def read_whole(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise Rejected(f"{text!a:.80} is not a whole number from {low} to {high}{also}")
        return int(text)

    return read_whole


def _port(text: str) -> int | str:
    return "auto" if text.lower() == "auto" else _whole(1, 65535, ", or auto")(text)


def _duration_ms(low_ms: int) -> Callable[[str], int]:
    def read_duration(text: str) -> int:
        match = _DURATION.fullmatch(text)
        duration_ms = int(match[1]) * _UNIT_MS[match[2]] if match else 0
        if not low_ms <= duration_ms <= DURATION_MS_MAX:
            raise Rejected(f"{text!a:.80} is not a duration such as 500ms, 2s or 1m, from {low_ms}ms to 24h")
        return duration_ms

    return read_duration


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(dict.fromkeys(re.split(r"[,\s]+", text.strip(", ").lower())))
    for host in hosts:
        if not HOST_NAME.fullmatch(host):
            raise Rejected(f"{host!a:.80} is not a host name, or one with a leading *.")
    return hosts


def _path(text: str) -> str:
    if not CHECK_PATH.fullmatch(text):
        raise Rejected(f"{text!a:.80} is not a path such as /health")
    return text


def _tags(text: str) -> tuple[str, ...]:
    parts = (part.replace("\\,", ",").strip() for part in _NOT_ESCAPED_COMMA.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))


@dataclass(frozen=True, slots=True)
class Setting:
    """One label of the contract: which field of PortLabels it fills, and how its text is read (raises Rejected)."""

    field: str
    read: Callable[[str], Any]


# NAME is not among them: it is read by register/naming.py, where all ports of a container are seen together.
SETTINGS: Mapping[str, Setting] = {
    "IGNORE": Setting("ignore", boolean),
    "PORT": Setting("port", _port),
    "MODE": Setting("mode", one_of(*get_args(Mode))),
    "HOSTS": Setting("hosts", _hosts),
    "ROLE": Setting("role", one_of(*get_args(Role))),
    "WEIGHT": Setting("weight", _whole(0, WEIGHT_MAX)),
    "CHECK_HTTP": Setting("check_path", _path),
    "CHECK_TCP": Setting("check_tcp", boolean),
    "CHECK_INTERVAL": Setting("check_interval_ms", _duration_ms(100)),
    "CHECK_TIMEOUT": Setting("check_timeout_ms", _duration_ms(100)),
    "BALANCE": Setting("balance", one_of(*get_args(Balance))),
    "STICKY": Setting("sticky", one_of(*get_args(Sticky))),
    "TIMEOUT": Setting("timeout_ms", _duration_ms(1)),
    "RETRY": Setting("retry", one_of(*get_args(Retry))),
    "PANIC": Setting("panic", one_of(*get_args(Panic))),
    "ON_ABSENCE": Setting("on_absence", one_of(*get_args(OnAbsence))),
    "NETWORK": Setting("network", str),
    "ADDRESS": Setting("address", str),
    "TAGS": Setting("tags", _tags),
}
_CHECK_KINDS = frozenset({"CHECK_HTTP", "CHECK_TCP"})
