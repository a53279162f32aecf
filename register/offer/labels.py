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
from typing import Any, Literal, cast

from catalog.errors import Rejected
from catalog.record import (
    Balance,
    Check,
    CheckKind,
    Locality,
    Mode,
    OnAbsence,
    Panic,
    Proto,
    Retry,
    Role,
    Sticky,
)
from catalog.rules import ITEMS_MAX, TEXT
from register.docker.container import Container
from register.offer.label_values import CHECK_KINDS, SETTINGS

_KEY = re.compile(r"SERVICE_(?:([1-9][0-9]{0,4})_)?(.+)", re.DOTALL)
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
    paths: tuple[str, ...] = ()
    proto: Proto = "h1"
    role: Role = "real"
    stub_policy: str = "supersede"
    weight: int = 100
    check_path: str | None = None
    check_tcp: bool = True
    check_grpc: bool = False
    check_status: str = ""
    check_host: str = ""
    check_interval_ms: int | None = None
    check_timeout_ms: int | None = None
    balance: str | None = None  # a Balance, or hash:<header>
    canary: str = ""
    locality: Locality = "any"
    slow_start_ms: int | None = None
    maxconn: int | None = None
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
        kind: CheckKind = (
            "http"
            if self.check_path is not None
            else "tcp"
            if self.check_tcp or self.check_grpc
            else "none"
        )
        return Check(
            kind,
            self.check_path or "/",
            interval_ms=self.check_interval_ms,
            timeout_ms=self.check_timeout_ms,
            grpc=self.check_grpc,
            status=self.check_status,
            host=self.check_host,
        )

    @property
    def hash_header(self) -> str:
        """The header that BALANCE=hash:<header> names."""
        return (self.balance or "").partition(":")[2]

    @property
    def plain_balance(self) -> Balance | None:
        """The balance for whoever does not know of hashed headers: an older discoverer, a tcp listener."""
        return None if self.balance is None or self.hash_header else cast(Balance, self.balance)


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
        hidden = CHECK_KINDS if CHECK_KINDS & specific.keys() else frozenset()
        return {name: text for name, text in self.general.items() if name not in hidden} | dict(
            specific
        )

    def asks(self, port: int | None = None) -> bool:
        """Whether a setting of the contract, other than IGNORE, is given for this port or for all."""
        given = self.general.keys() if port is None else self.of(port).keys()
        return bool((given & (SETTINGS.keys() | {"NAME"})) - {"IGNORE"})


def labels_of(container: Container) -> Labels:
    """Return a container's labels and variables, as far as they are for us. Never fails: nothing is read yet."""
    general: dict[str, Text] = {}
    by_port: dict[int, dict[str, Text]] = {}
    given = {**container.env, **container.labels}
    if given.get("VIRTUAL_HOST"):
        general["HOSTS"] = Text("VIRTUAL_HOST", given["VIRTUAL_HOST"])
    if given.get("VIRTUAL_PATH"):
        general["PATH"] = Text("VIRTUAL_PATH", given["VIRTUAL_PATH"])
    for key, value in given.items():
        if value and (match := _KEY.fullmatch(key)):
            port = int(match[1] or 0)
            names = general if port == 0 else by_port.setdefault(port, {})
            names[match[2].upper()] = Text(key, value)
    return Labels(
        container.name, general, {port: texts for port, texts in by_port.items() if port <= 65535}
    )


def read(labels: Labels, port: int) -> PortLabels:
    """Return what the labels say about a port. Raises Rejected: which label of which container, seen, right."""
    values: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    wrong: list[str] = []
    for name, text in labels.of(port).items():
        setting = SETTINGS.get(name)
        if setting is not None:
            try:
                values[setting.field] = _read(setting.read, text, labels.container)
            except Rejected as error:
                wrong.append(str(error))
        elif name != "NAME" and _is_attribute(name, text.value):
            attributes[name.lower()] = text.value
    if wrong:
        raise Rejected("; ".join(wrong))  # all at once: they are mended in one go
    if values.get("hosts") or values.get("paths"):
        values.setdefault(
            "mode", "http"
        )  # who names hosts or paths, which only http has, means http
    return PortLabels(
        **values, attributes=MappingProxyType(dict(sorted(attributes.items())[:ITEMS_MAX]))
    )


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
