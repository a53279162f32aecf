"""Which rows of a list are shown, and in which order. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import Rejected
from ctl.view.names import matches
from ctl.view.services import PROBLEMS, STATES

Row = Mapping[str, Any]
# By what rows can be sorted, and the field that it is.
SORTS = {
    "service": "service",
    "port": "port",
    "mode": "mode",
    "ready": "up",
    "stubs": "stubs",
    "hosts": "hosts",
    "since": "since_s",
    "state": "state",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of a list; what is empty leaves out nothing."""

    names: Sequence[str] = ()
    states: Sequence[str] = ()
    host: str = ""
    zone: str = ""
    sort: str = ""

    def has(self, row: Row) -> bool:
        """Whether a row is wanted."""
        return (
            matches(str(row["service"]), self.names)
            and (not self.states or row["state"] in self.states)
            and (not self.host or self.host in row["hosts"])
            and (not self.zone or self.zone in row.get("zones", ()))
        )


def states_of(text: str) -> tuple[str, ...]:
    """Return the states in such as `stubs,nobody`; `problems` are several. Raises Rejected."""
    found: list[str] = []
    for word in text.split(","):
        state = word.strip()
        if state == "problems":
            found += PROBLEMS
        elif state in STATES:
            found.append(state)
        else:
            raise Rejected(f"{state!r:.40} is none of {', '.join(STATES)}, problems")
    return tuple(dict.fromkeys(found))


def chosen(rows: Iterable[Row], choice: Choice) -> list[Row]:
    """Return the rows that are wanted, in the order that is; without one as they are."""
    found = [row for row in rows if choice.has(row)]
    field = SORTS.get(choice.sort)
    if not field:
        return found

    known = [row for row in found if row.get(field) is not None]
    ordered = sorted(known, key=lambda row: _sortable(field, row[field]))
    return ordered + [row for row in found if row.get(field) is None]


def _sortable(field: str, value: Any) -> Any:
    if field == "state":
        return STATES.index(value)
    return ",".join(value) if field == "hosts" else value
