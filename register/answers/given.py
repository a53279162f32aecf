"""Which label or variable gave an instance each of its settings: names alone, never values. No I/O.

A name is told only if reading its text gives what the record has: a general label may be about
another port, and a wrong one is not applied.
"""

from collections.abc import Mapping
from typing import Any

from catalog.errors import Rejected
from catalog.records.record import Instance
from catalog.values.vocabulary import LABELS, Setting
from register.docker.container import Container
from register.offer.labels import LabelText, labels_of

_NAME = "NAME"
_HASH = "hash:"


def given_of(container: Container, instance: Instance) -> Mapping[str, str]:
    """Return by field of the record, such as `check.path`, the label or variable that gave it."""
    named = {key.strip() for key in container.labels}
    found: dict[str, str] = {}
    for name, text in labels_of(container).of(instance.container_port).items():
        by = f"{'label' if text.key in named else 'variable'} {text.key}"
        if name == _NAME:
            found["service"] = by
        elif name in LABELS and _is_applied(LABELS[name], text, instance):
            found[LABELS[name].field] = by
    return found


def _is_applied(setting: Setting, text: LabelText, instance: Instance) -> bool:
    if setting.scope == "offer":
        return True
    try:
        value = setting.type.from_label(text.value.strip())
    except Rejected:
        return False

    if isinstance(value, str) and value.startswith(_HASH):
        return instance.hash_header == value.removeprefix(_HASH)
    return setting.own_type is not None or value == _value(instance, setting.field)


def _value(instance: Instance, field: str) -> Any:
    of_check = field.removeprefix("check.")
    return getattr(instance, field) if of_check == field else getattr(instance.check, of_check)
