"""The labels of a container: which are ours, which wins, what they say about a port. No I/O.

A label beats an environment variable of the same name, and SERVICE_<port>_X beats SERVICE_X,
whichever of the two each is, as in registrator. Docker merges the image's labels and variables into
the container's own and does not say which are which: so an image's label beats a container's
variable. An empty text counts as not given; an empty label thus takes a variable back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import Rejected
from catalog.rules import ITEMS_MAX, TEXT
from catalog.text_types import PRINTABLE
from catalog.vocabulary import LABELS, SETTINGS, Setting, record_fields
from register.docker.container import Container

_KEY = re.compile(r"SERVICE_(?:(?P<port>[1-9][0-9]{0,4})_)?(?P<name>.+)", re.DOTALL)
_PORT_MAX = 65535
# Other programs' labels that have long meant the same as one of ours.
_SYNONYMS = {"VIRTUAL_HOST": "HOSTS", "VIRTUAL_PATH": "PATH"}
# These are one choice: a tcp check for one port beats an http check for all.
_CHECK_CHOICE = frozenset({"CHECK_HTTP", "CHECK_TCP", "CHECK_GRPC"})
# With one of these a container asks to be offered; IGNORE does not.
_ASKING = (LABELS.keys() | {"NAME"}) - {"IGNORE"}
_OFFER_FIELDS = {setting.field for setting in SETTINGS if setting.scope == "offer"}
# Every host reads what goes to etcd: nobody meant SERVICE_DB_PASSWORD as an attribute.
_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|AUTH|DSN|KEY(?:_|$)")
_SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@|PRIVATE KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLabels:
    """What the labels say about one port, read and checked; what they do not say has no entry."""

    ignore: bool = False
    network: str | None = None
    address: str | None = None
    fields: Mapping[str, Any]  # of the port's Instance, by name


@dataclass(frozen=True, slots=True)
class LabelText:
    """A label as it was given: its whole name, for messages, and its text."""

    key: str
    value: str


Texts = Mapping[str, LabelText]  # by the label's name without SERVICE_


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one container that are ours, not yet read."""

    container: str
    general: Texts
    by_port: Mapping[int, Texts]

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that per-port labels name, to be ignored or not."""
        return tuple(sorted(self.by_port))

    def specific(self, port: int) -> Texts:
        """Return what was given for this port alone."""
        return self.by_port.get(port, {})

    def of(self, port: int) -> Texts:
        """Return what holds for a port."""
        general = dict(self.general)
        specific = self.specific(port)

        if _CHECK_CHOICE & specific.keys():
            for name in _CHECK_CHOICE:
                general.pop(name, None)
        return {**general, **specific}

    def asks(self, port: int | None = None) -> bool:
        """Whether any setting but IGNORE is given, for this port or for all."""
        given = self.general if port is None else self.of(port)
        return bool(_ASKING & given.keys())


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
        port = int(match["port"] or 0) if match else 0
        if match is None or not value or port > _PORT_MAX:
            continue

        texts = by_port.setdefault(port, {}) if port else general
        name = match["name"].upper()
        texts[name] = LabelText(key, value)

    return Labels(container.name, general, by_port)


def read(labels: Labels, port: int) -> PortLabels:
    """Return what the labels say about a port. Raises Rejected, with all that is wrong at once."""
    texts = labels.of(port)
    values = _values(texts, labels.container)

    offer: dict[str, Any] = {}
    for name in _OFFER_FIELDS & values.keys():
        offer[name] = values.pop(name)

    fields = record_fields(values)
    fields["attributes"] = _attributes(texts)
    return PortLabels(fields=fields, **offer)


def _values(texts: Texts, container: str) -> dict[str, Any]:
    """Return the values of all settings among these labels, by `Setting.field`."""
    values: dict[str, Any] = {}
    mistakes: list[str] = []

    for name, text in texts.items():
        if name not in LABELS:
            continue

        setting = LABELS[name]
        try:
            values[setting.field] = _value(setting, text)
        except Rejected as error:
            label = ascii(text.key)[1:-1]
            mistakes.append(f"{label:.80} of {container}: {error}")

    if mistakes:
        raise Rejected("; ".join(mistakes))
    return values


def _value(setting: Setting, text: LabelText) -> Any:
    printable = PRINTABLE.from_label(text.value)
    return setting.type.from_label(printable)


def _attributes(texts: Texts) -> dict[str, str]:
    """Return the labels that are no settings, as they are no mistake: the first ones by name."""
    kept: dict[str, str] = {}
    for name, text in texts.items():
        is_setting = name in LABELS or name == "NAME"
        if not is_setting and _is_attribute(name, text.value):
            kept[name.lower()] = text.value

    return dict(sorted(kept.items())[:ITEMS_MAX])


def _is_attribute(name: str, value: str) -> bool:
    """Whether a label can be an attribute: text that looks like no secret."""
    if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value):
        return False

    is_text = TEXT.fullmatch(name.lower()) and TEXT.fullmatch(value)
    return bool(is_text)
