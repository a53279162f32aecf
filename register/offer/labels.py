"""The labels of a container: which are ours, which wins, what they say about a port. No I/O.

A label beats an environment variable of the same name, and SERVICE_<port>_X beats SERVICE_X,
whichever of the two each is, as in registrator. Docker merges the image's labels and variables into
the container's own and does not say which are which: so an image's label beats a container's
variable. An empty text counts as not given; an empty label thus takes a variable back.

A variable counts only if its name is one of ours: variables hold secrets. Free attributes are
labels. What is odd in tags, in free attributes or in nginx-proxy's words costs itself alone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.errors import Rejected
from catalog.rules import ITEMS_MAX
from catalog.text_types import PRINTABLE, Tags, Texts
from catalog.value_types import Flag
from catalog.vocabulary import LABELS, SETTINGS, Setting, record_fields
from register.docker.container import Container
from register.offer import nginx_words
from register.offer.attributes import (
    is_secret,
    is_text,
    looks_secret,
    not_kept,
    some,
    unless_secret,
)
from register.reasons import because
from sidecar.status.problems import Problem

_KEY = re.compile(r"SERVICE_(?:(?P<port>[1-9][0-9]{0,4})_)?(?P<name>.+)", re.DOTALL)
_PORT_MAX = 65535
_OURS = LABELS.keys() | {"NAME"}
# Checks that registrator has others make. A HEALTHCHECK does what they do.
_OF_REGISTRATOR = frozenset({"CHECK_SCRIPT", "CHECK_CMD", "CHECK_TTL", "CHECK_HTTPS"})
# These are one choice: a tcp check for one port beats an http check for all.
CHECK_CHOICE = frozenset({"CHECK_HTTP", "CHECK_TCP", "CHECK_GRPC"})
# With one of these a container asks to be offered; IGNORE does not.
_ASKING = _OURS - {"IGNORE"}
_OF_PLACE = {setting.label for setting in SETTINGS if setting.scope == "offer"}
_OFFER_FIELDS = {LABELS[label].field for label in _OF_PLACE}


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLabels:
    """What the labels say about one port, read and checked; what they do not say has no entry.

    `notes` say what of them is left out.
    """

    ignore: bool = False
    network: str | None = None
    address: str | None = None
    fields: Mapping[str, Any]  # of the port's Instance, by name
    notes: Mapping[str, Problem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelText:
    """A label as it was given: its whole name, for messages, and its text."""

    key: str
    value: str


LabelTexts = Mapping[str, LabelText]  # by the label's name without SERVICE_


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one container that are ours, not yet read.

    `web_port` is the one that VIRTUAL_PORT names. `notes` say, by label, what is not read.
    """

    container: str
    general: LabelTexts
    by_port: Mapping[int, LabelTexts]
    web_port: int | None = None
    notes: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that per-port labels name, to be ignored or not."""
        return tuple(sorted(self.by_port))

    @property
    def ignored(self) -> bool:
        """Whether a label takes all ports out."""
        text = self.general.get("IGNORE")
        try:
            return text is not None and Flag().from_label(text.value)
        except Rejected:
            return False

    def specific(self, port: int) -> LabelTexts:
        """Return what was given for this port alone."""
        return self.by_port.get(port, {})

    def of(self, port: int) -> LabelTexts:
        """Return what holds for a port."""
        general = dict(self.general)
        specific = self.specific(port)

        if CHECK_CHOICE & specific.keys():
            for name in CHECK_CHOICE:
                general.pop(name, None)
        return {**general, **specific}

    def asks(self, port: int | None = None) -> bool:
        """Whether any setting but IGNORE is given, for this port or for all."""
        given = self.general if port is None else self.of(port)
        return bool(_ASKING & given.keys())


def labels_of(container: Container) -> Labels:
    """Return those of a container's labels and variables that are ours; it never raises."""
    variables = {key: text for key, text in _named(container.env) if _is_ours(key)}
    given = {**variables, **dict(_named(container.labels))}
    general: dict[str, LabelText] = {}
    by_port: dict[int, dict[str, LabelText]] = {}
    secret: list[str] = []
    odd: list[str] = []

    for key, value in given.items():
        port, name = _split(key)
        if not name or not value or port > _PORT_MAX:
            continue

        texts = by_port.setdefault(port, {}) if port else general
        if name in _OURS:
            texts[name] = LabelText(key, value)
        elif is_secret(name, value):
            secret.append(key)
        elif is_text(name, value):
            texts[name] = LabelText(key, value)
        else:
            odd.append(key)

    words = nginx_words.read_nginx_words(container.name, given)
    _add_nginx_words(words, general, by_port)
    notes = {
        **not_kept(container.name, sorted(secret), sorted(odd)),
        **_not_read(container.name, given),
        **words.notes,
    }
    return Labels(container.name, general, by_port, words.port, notes)


def _not_read(container: str, given: Iterable[str]) -> dict[str, Problem]:
    keys = sorted(key for key in given if _split(key)[1] in _OF_REGISTRATOR)
    if not keys:
        return {}
    text = f"{some(keys)} of {container}: not made here; give the image a HEALTHCHECK"
    return {keys[0]: because("NOT_READ", text)}


def _add_nginx_words(
    words: nginx_words.NginxWords,
    general: dict[str, LabelText],
    by_port: dict[int, dict[str, LabelText]],
) -> None:
    """Add what nginx-proxy's words say, where no label of ours says it."""
    for name, (key, value) in words.texts.items():
        if name in general:
            continue
        texts = by_port.setdefault(words.port, {}) if words.port else general
        texts.setdefault(name, LabelText(key, value))

    if words.port and general.keys() & {"HOSTS", "PATH"}:
        by_port.setdefault(words.port, {})


def _named(given: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield names and values; a name or value of ours without what a writer's file left around it.

    In a list of compose, `- NAME = "x"` gives the name a space, and the value its quotes.
    """
    for key, value in given.items():
        name = key.strip()
        yield (name, _bare(value)) if _is_ours(name) else (key, value)


def _bare(value: str) -> str:
    text = value.strip(" \t\r")
    quote = text[:1]
    if quote in ("'", '"') and len(text) > 1 and text.endswith(quote) and text.count(quote) == 2:
        return text[1:-1].strip(" \t\r")
    return text


def _is_ours(key: str) -> bool:
    return key in nginx_words.ALL or _split(key)[1] in _OURS | _OF_REGISTRATOR


def _split(key: str) -> tuple[int, str]:
    """Return the port, or 0, and the name of a label SERVICE_[<port>_]<name>; no name if none."""
    match = _KEY.fullmatch(key)
    if match is None:
        return 0, ""
    return int(match["port"] or 0), match["name"].upper()


def read_place(labels: Labels, port: int) -> PortLabels:
    """Return only what decides whether and where a port is offered. Raises Rejected."""
    texts = labels.of(port)
    of_place = {name: text for name, text in texts.items() if name in _OF_PLACE}
    values = _Reading(labels.container).values(of_place)
    return PortLabels(fields={}, **values)


def read(labels: Labels, port: int) -> PortLabels:
    """Return what the labels say about a port. Raises Rejected, with all that is wrong at once."""
    texts = labels.of(port)
    reading = _Reading(labels.container)
    values = reading.values(texts)

    offer: dict[str, Any] = {}
    for name in _OFFER_FIELDS & values.keys():
        offer[name] = values.pop(name)

    fields = record_fields(values)
    if {"HOSTS", "PATH"} & texts.keys():
        # Also if none of them can be used: what has a host name speaks http.
        fields.setdefault("mode", "http")

    fields["attributes"] = reading.attributes(texts)
    return PortLabels(fields=fields, notes=reading.notes, **offer)


class _Reading:
    """The labels of one port, while they are read, and what of them is left out."""

    def __init__(self, container: str) -> None:
        self.notes: dict[str, Problem] = {}
        self._container = container

    def values(self, texts: LabelTexts) -> dict[str, Any]:
        """Return the values of all settings among these labels, by `Setting.field`."""
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        for name, text in texts.items():
            if name not in LABELS:
                continue

            setting = LABELS[name]
            try:
                values[setting.field] = self._value(setting, text)
            except Rejected as error:
                mistakes.append(f"{self._of(text)}: {unless_secret(str(error), text.value)}")

        if mistakes:
            raise Rejected("; ".join(mistakes))

        # Without its paths a host name would get calls that were never meant for it.
        has_lost_paths = "PATH" in texts and not values["paths"]
        if has_lost_paths and values.pop("hosts", ()):
            self._note(texts["HOSTS"], "left out, as none of its paths can be used")
        return values

    def _value(self, setting: Setting, text: LabelText) -> Any:
        if isinstance(setting.type, Texts):
            return self._items(setting.type, text)

        printable = PRINTABLE.from_label(text.value.strip())
        if setting.scope == "offer" and looks_secret(printable):
            raise Rejected("not right here")
        return setting.type.from_label(printable)

    def _items(self, type_: Texts, text: LabelText) -> tuple[str, ...]:
        """Return those items of a list that a record takes.

        A tag, and a name in another program's words, that it does not take costs itself alone.
        """
        is_lenient = isinstance(type_, Tags) or text.key in nginx_words.WORDS
        kept: dict[str, None] = {}
        odd: list[str] = []
        for item in type_.items(text.value):
            try:
                kept[_item(type_, item)] = None
            except Rejected as error:
                if not is_lenient:
                    raise
                odd.append(str(error))

        if odd:
            more = f", and {len(odd) - 1} more" if len(odd) > 1 else ""
            self._note(text, f"left out: {odd[0]}{more}")
        elif len(kept) > ITEMS_MAX:
            self._note(text, f"the first {ITEMS_MAX} of {len(kept)} are kept")
        return tuple(kept)[:ITEMS_MAX]

    def attributes(self, texts: LabelTexts) -> Mapping[str, str]:
        """Return the labels that are no settings: the first ones by name."""
        free = {name.lower(): text.value for name, text in texts.items() if name not in _OURS}
        if len(free) > ITEMS_MAX:
            text = f"the first {ITEMS_MAX} of {len(free)} attributes are kept"
            self._say("attributes", f"{self._container}: {text}")
        return dict(sorted(free.items())[:ITEMS_MAX])

    def _note(self, text: LabelText, what: str) -> None:
        self._say(text.key, f"{self._of(text)}: {what}")

    def _say(self, where: str, text: str) -> None:
        self.notes[where] = because("PARTLY_APPLIED", text)

    def _of(self, text: LabelText) -> str:
        label = ascii(text.key)[1:-1]
        return f"{label:.80} of {self._container}"


def _item(type_: Texts, item: str) -> str:
    if looks_secret(item):
        raise Rejected(unless_secret("", item))
    return type_.item.from_label(item)
