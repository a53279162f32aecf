"""For how long a service is as it is, as far as anybody knows. No I/O, no clock.

HAProxy knows when a server came up or went down, but a worker knows of nothing before its own
start. What has not changed since then is at most as old as the oldest container.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ctl.view.published import Published

# HAProxy counts both in whole seconds, each from a start of its own.
INACCURACY_S = 2

Row = Mapping[str, Any]


def since_s(
    state: str,
    seen: Mapping[str, Row],
    workers_s: Mapping[str, int],
    published: Iterable[Published],
    now_s: float,
) -> int | None:
    """Return the seconds since the last change that any host saw, or None if nobody knows.

    `seen` is what each host's HAProxy has of it, `workers_s` for how long its worker runs.
    """
    known = {host: seconds for host, row in seen.items() if (seconds := _seconds(row)) is not None}
    if not known:
        return None

    host, since = min(known.items(), key=lambda it: it[1])
    is_older = since >= workers_s.get(host, since + 1) - INACCURACY_S
    if not is_older or state not in ("serving", "stubs"):
        return since

    role = "real" if state == "serving" else "stub"
    started = [it.instance.started_ms for it in published if it.instance.role == role]
    oldest_s = max((now_s - ms / 1000 for ms in started if ms), default=0.0)
    return max(since, int(oldest_s))


def _seconds(row: Row) -> int | None:
    seconds = row.get("since_s")
    return seconds if isinstance(seconds, int) and seconds >= 0 else None
