"""Keep a record as small as every docker-discover takes it. No I/O.

Names, paths, tags and attributes have their limits each, and all of them together have too: what no
longer fits is left out, from the attributes on, and that is said.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalog.records.record import RECORD_BYTES_MAX, Instance, encode

LISTS = frozenset({"hosts", "paths", "tags", "attributes"})
# For what may change in a record while it stands: its state, and why it drains.
_SPARE_BYTES = 64
# What a field that is not written while it is empty takes by itself: ,"paths":[]
_OF_FIELD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Fitted:
    """An instance that fits in a record, and how much of what had to stay outside."""

    instance: Instance
    left_out: str  # empty: nothing


def fitted(bare: Instance, values: Mapping[str, Any]) -> Fitted:
    """Return an instance with as much as fits of hosts, paths, tags and attributes."""
    # As if it did not drain: what it has must not change while it does.
    calm = replace(bare, state="ready", leaving="")
    room = _Room(RECORD_BYTES_MAX - _SPARE_BYTES - len(encode(calm)))
    hosts = room.take("host names", values.get("hosts", ()), _bytes_of)
    paths = room.take("paths", values.get("paths", ()), _bytes_of)
    tags = room.take("tags", values.get("tags", ()), _bytes_of)
    pairs = values.get("attributes", {}).items()
    attributes = room.take("attributes", pairs, lambda pair: sum(map(_bytes_of, pair)))

    instance = replace(bare, hosts=hosts, paths=paths, tags=tags, attributes=dict(attributes))
    return Fitted(instance, ", ".join(room.left_out))


class _Room:
    """The bytes of a record that are not used yet."""

    def __init__(self, free: int) -> None:
        self.left_out: list[str] = []
        self._free = free

    def take(
        self, what: str, items: Iterable[Any], bytes_of: Callable[[Any], int]
    ) -> tuple[Any, ...]:
        """Return the first items, as many as fit."""
        wanted = tuple(items)
        free = self._free - (_OF_FIELD_BYTES if wanted else 0)
        kept = 0
        for item in wanted:
            free -= bytes_of(item)
            if free < 0:
                break
            self._free = free
            kept += 1

        if kept < len(wanted):
            self.left_out.append(f"{len(wanted) - kept} of {len(wanted)} {what}")
        return wanted[:kept]


def _bytes_of(text: str) -> int:
    # with its comma or colon
    return len(json.dumps(text)) + 1
