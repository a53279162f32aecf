"""What labels say about one port: read, checked, and what of them is left out. No I/O.

What a wrong value costs stands in the row of its setting (`catalog/values/vocabulary.py`). What is
odd in tags, in free attributes or in nginx-proxy's words costs itself alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.errors import Rejected
from catalog.values.rules import ITEMS_MAX
from catalog.values.secrets import looks_secret, unless_secret
from catalog.values.text_types import PRINTABLE, Tags, Texts
from catalog.values.vocabulary import LABELS, SETTINGS, Setting, record_fields
from register.offer import foreign_words
from register.offer.labels import KEEPS_CALLS_FROM, OURS, Labels, LabelText, LabelTexts
from register.reasons import Code, because
from sidecar.status.problems import Problem

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
        wrong: dict[str, str] = {}
        for name, text in texts.items():
            if name not in LABELS:
                continue

            setting = LABELS[name]
            try:
                values[setting.field] = self._value(setting, text)
            except Rejected as error:
                wrong[name] = unless_secret(str(error), text.value)

        if any(_refuses(name, texts) for name in wrong):
            raise Rejected("; ".join(f"{self._of(texts[name])}: {wrong[name]}" for name in wrong))

        for name, why in wrong.items():
            text = texts[name]
            self._say("NOT_APPLIED", text.key, f"{self._of(text)} is not applied: {why}")

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

        A tag, and a name in what may be another program's words, that it does not take costs itself
        alone.
        """
        is_lenient = isinstance(type_, Tags) or text.key in foreign_words.WORDS or text.is_vague
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
        free = {name.lower(): text.value for name, text in texts.items() if name not in OURS}
        if len(free) > ITEMS_MAX:
            text = f"the first {ITEMS_MAX} of {len(free)} attributes are kept"
            self._say("PARTLY_APPLIED", "attributes", f"{self._container}: {text}")
        return dict(sorted(free.items())[:ITEMS_MAX])

    def _note(self, text: LabelText, what: str) -> None:
        shown = unless_secret(what, text.value)
        self._say("PARTLY_APPLIED", text.key, f"{self._of(text)}: {shown}")

    def _say(self, code: Code, where: str, text: str) -> None:
        self.notes[where] = because(code, text)

    def _of(self, text: LabelText) -> str:
        label = ascii(text.key)[1:-1]
        return f"{label:.80} of {self._container}"


def _refuses(name: str, texts: LabelTexts) -> bool:
    """Whether a wrong value of a setting refuses the port."""
    return LABELS[name].wrong_costs != "setting" or KEEPS_CALLS_FROM.get(name) in texts


def _item(type_: Texts, item: str) -> str:
    if looks_secret(item):
        raise Rejected(unless_secret("", item))
    return type_.item.from_label(item)
