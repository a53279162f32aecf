"""A call as a row, and rows as lines whose columns grow with what comes. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.asking.fields import printable
from ctl.view.published import Published
from ctl.view.table import cell_of

COLUMNS = ("time", "from", "status", "ms", "instance", "call", "end")
# With all services.
COLUMNS_OF_ALL = ("time", "from", "service", "status", "ms", "instance", "call", "end")
TO_THE_RIGHT = ("status", "ms")
# What most cells of a column are not longer than, so that the columns of the first lines stand.
WIDTHS = {"time": 12, "from": 4, "service": 12, "status": 6, "ms": 5, "instance": 16, "call": 30}

Names = Mapping[str, str]


def names_of_instances(published: Iterable[Published]) -> Names:
    """Return what people call each instance: its container's name and its host."""
    return {
        f"{each.short}:{each.instance.container_port}": (
            f"{each.instance.container_name or each.short}@{each.host}"
        )
        for each in published
    }


def named(call: Mapping[str, Any], host: str, names: Names) -> Mapping[str, Any]:
    """Return a call with the host of its HAProxy, and its instance by its name."""
    instance = str(call.get("instance", ""))
    name = names.get(instance, instance)
    return {**call, "from": host} | ({"name": name} if name else {})


def row_of(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a named call as a row; anybody may have written it to etcd."""
    is_http = "method" in call
    asked = f"{call.get('method')} {call.get('path', '')}"
    moved = f"{call.get('bytes_in', 0)} B in, {call.get('bytes_out', 0)} B out"
    row = {
        "time": str(call.get("time", ""))[11:23],
        "from": call.get("from"),
        "service": call.get("service"),
        "status": call.get("status"),
        "ms": call.get("total_ms"),
        "instance": call.get("name") or call.get("address"),
        "call": asked if is_http else moved,
        "end": _end(call),
    }
    return {name: printable(cell_of(value)) for name, value in row.items()}


def _end(call: Mapping[str, Any]) -> str:
    """Return why a call ended, if there is more to say than that it did."""
    code, tries = str(call.get("code", "")), str(call.get("retries", "0")).lstrip("+")
    said = [] if code == "--" else [f"{call.get('end')} ({code})"]
    if tries.isdigit() and int(tries):
        said.append(f"after {tries} more {'try' if tries == '1' else 'tries'}")
    return ", ".join(said)


class Lines:
    """Rows as lines; a column is as wide as its widest cell until then."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._widths = {name: max(len(name), WIDTHS.get(name, 0)) for name in columns}

    def header(self) -> str:
        """Return the first line."""
        return self._line({name: name.upper() for name in self._columns})

    def line(self, row: Mapping[str, str]) -> str:
        """Return a row as a line."""
        for name in self._columns:
            self._widths[name] = max(self._widths[name], len(row[name]))
        return self._line(row)

    def _line(self, row: Mapping[str, str]) -> str:
        cells = (
            row[name].rjust(self._widths[name])
            if name in TO_THE_RIGHT
            else row[name].ljust(self._widths[name])
            for name in self._columns
        )
        return "  ".join(cells).rstrip()
