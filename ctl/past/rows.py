"""Changes -> rows. No I/O."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ctl.past.merge import Change, applied

COLUMNS = {
    "table": (
        *("time", "service", "what", "instance", "host"),
        *("applied", "how", "took", "revision", "why"),
    ),
    "wide": (
        *("time", "service", "what", "instance", "host"),
        *("applied", "how", "took", "revision", "slowest", "container", "why"),
    ),
}
_DAY_S = 86400


def row_of(change: Change, hosts: int, now_s: float) -> Mapping[str, Any]:
    """Return the row of a change; `hosts` were asked."""
    line = change.line
    came = applied(change)
    took_ms, waiting = came["took_ms"], came["waiting"]
    return {
        "time": _shown(line.at_ms / 1000, now_s),
        "at": _utc(line.at_ms),
        "revision": line.revision,
        "what": line.what,
        "service": line.service or None,
        "instance": line.name or line.instance or None,
        "container": line.instance or None,
        "host": line.host or (came["hosts"] if len(change.told) < hosts else None),
        "why": _why(change),
        "cause": line.cause,
        "detail": line.detail,
        "applied": f"{len(change.told)}/{hosts}" if not waiting else f"waits: {_names(waiting)}",
        "how": came["how"] or None,
        "took": f"{took_ms} ms" if took_ms else None,
        "took_ms": took_ms,
        "slowest": came["slowest"],
        "hosts": came["hosts"],
    }


def _why(change: Change) -> str:
    """Return the cause, and in brackets what of the detail people need."""
    line = change.line
    return (
        f"{line.cause} ({line.detail})"
        if line.cause and line.detail
        else (line.cause or line.detail)
    )


def _names(hosts: object) -> str:
    return ", ".join(hosts) if isinstance(hosts, list) else ""


def document_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row as programs read it: without what is only for people."""
    return {name: value for name, value in row.items() if name not in ("time", "took", "why")}


def line_of(row: Mapping[str, Any]) -> str:
    """Return a row as one line, for those who watch."""
    what = str(row["what"])
    where = f" on {row['host']}" if isinstance(row["host"], str) else ""
    about = f"{row['instance']}{where}" if row["instance"] else where.removeprefix(" on ")
    came = " ".join(str(row[name]) for name in ("applied", "how", "took") if row[name])
    words = (row["time"], row["service"] or "-", about, what, row["why"], came, row["revision"])
    return "  ".join(str(word) for word in words if word)


def _shown(at_s: float, now_s: float) -> str:
    """Return a time of this day, with its day if it was another."""
    then, now = time.localtime(at_s), time.localtime(now_s)
    is_today = then.tm_yday == now.tm_yday and abs(now_s - at_s) < _DAY_S
    return time.strftime("%H:%M:%S" if is_today else "%b %d %H:%M:%S", then)


def _utc(at_ms: int) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms // 1000))
    return f"{seconds}.{at_ms % 1000:03d}Z"


def services_in(changes: Iterable[Change]) -> set[str]:
    """Return every name that people may call these by."""
    found: set[str] = set()
    for change in changes:
        found |= {change.line.service, change.line.name, change.line.host}
    return found - {""}
