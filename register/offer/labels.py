"""The labels of a container: which are ours, which wins, what they say about a port. No I/O.

A label beats an environment variable of the same name, and SERVICE_<port>_X beats SERVICE_X,
whichever of the two each is, as in registrator. Docker merges the image's labels and variables into
the container's own and does not say which are which: so an image's label beats a container's
variable. An empty text counts as not given; an empty label thus takes a variable back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.errors import Rejected
from catalog.rules import ITEMS_MAX, TEXT
from catalog.text_types import PRINTABLE
from catalog.vocabulary import LABELS, Setting, record_fields
from register.docker.container import Container

_KEY = re.compile(r"SERVICE_(?:([1-9][0-9]{0,4})_)?(.+)", re.DOTALL)
_PORT_MAX = 65535
# Other programs' labels that have long meant the same as one of ours.
_SYNONYMS = {"VIRTUAL_HOST": "HOSTS", "VIRTUAL_PATH": "PATH"}
# These are one choice: a tcp check for one port beats an http check for all.
_CHECK_CHOICE = frozenset({"CHECK_HTTP", "CHECK_TCP", "CHECK_GRPC"})
# Every host reads what goes to etcd: nobody meant SERVICE_DB_PASSWORD as an attribute.
_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|AUTH|DSN|KEY(?:_|$)")
_SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@|PRIVATE KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLabels:
    """What the labels say about one port, read and checked; what they do not say has no entry."""

    ignore: bool = False
    network: str | None = None
    address: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)  # of the port's Instance, by name


@dataclass(frozen=True, slots=True)
class LabelText:
    """A label as it was given: its whole name, for messages, and its text."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one container that are ours, not yet read; their names lack SERVICE_."""

    container: str
    general: Mapping[str, LabelText]
    by_port: Mapping[int, Mapping[str, LabelText]]

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that per-port labels name, to be ignored or not."""
        return tuple(sorted(self.by_port))

    def specific(self, port: int) -> Mapping[str, LabelText]:
        """Return what was given for this port alone."""
        return self.by_port.get(port, {})

    def of(self, port: int) -> Mapping[str, LabelText]:
        """Return what holds for a port."""
        specific = self.specific(port)
        beaten = _CHECK_CHOICE if _CHECK_CHOICE & specific.keys() else frozenset()

        general = {name: text for name, text in self.general.items() if name not in beaten}
        return {**general, **specific}

    def asks(self, port: int | None = None) -> bool:
        """Whether any setting but IGNORE is given, for this port or for all."""
        given = self.general.keys() if port is None else self.of(port).keys()
        settings = (LABELS.keys() | {"NAME"}) - {"IGNORE"}
        return bool(given & settings)


def labels_of(container: Container) -> Labels:
    """Return those of a container's labels and variables that are ours; it never raises."""
    given = {**container.env, **container.labels}
    general: dict[str, LabelText] = {}
    by_port: dict[int, dict[str, LabelText]] = {}

    for synonym, name in _SYNONYMS.items():
        if given.get(synonym):
            general[name] = LabelText(synonym, given[synonym])

    for key, value in given.items():
        match = _KEY.fullmatch(key)
        if not match or not value:
            continue
        port = int(match[1] or 0)
        names = by_port.setdefault(port, {}) if port else general
        names[match[2].upper()] = LabelText(key, value)

    real_ports = {port: texts for port, texts in by_port.items() if port <= _PORT_MAX}
    return Labels(container.name, general, real_ports)


def read(labels: Labels, port: int) -> PortLabels:
    """Return what the labels say about a port. Raises Rejected, with all that is wrong at once."""
    values: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    mistakes: list[str] = []

    for name, text in labels.of(port).items():
        setting = LABELS.get(name)
        if setting is not None:
            try:
                values[setting.field] = _value(setting, text, labels.container)
            except Rejected as error:
                mistakes.append(str(error))
        elif name != "NAME" and _is_attribute(name, text.value):
            attributes[name.lower()] = text.value

    if mistakes:
        raise Rejected("; ".join(mistakes))

    offer = {name: values.pop(name) for name in ("ignore", "network", "address") if name in values}
    kept = dict(sorted(attributes.items())[:ITEMS_MAX])
    return PortLabels(**offer, fields={**record_fields(values), "attributes": kept})


def _is_attribute(name: str, value: str) -> bool:
    """Whether a label that is no setting is kept: text that looks like no secret.

    All others are ignored, as they are no mistake either.
    """
    if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value):
        return False
    return bool(TEXT.fullmatch(name.lower()) and TEXT.fullmatch(value))


def _value(setting: Setting, text: LabelText, container: str) -> Any:
    try:
        return setting.type.from_label(PRINTABLE.from_label(text.value))
    except Rejected as error:
        raise Rejected(f"{ascii(text.key)[1:-1]:.80} of {container}: {error}") from error
