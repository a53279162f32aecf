"""What HAProxy runs of a service, instance, port or host name: rows for people. No I/O.

HAProxy's own state is joined in by whoever asked it.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from discover.apply.running import Running
from discover.model.proxy_config import Listener, Server
from discover.model.spare_backends import own_name
from sidecar.status.problems import Problem

_CONTAINER = re.compile(r"[0-9a-f]{4,64}")
DIGITS = 12  # of a container id in the name of a server

# Columns of `show stat` (HAProxy's management manual, section 9.1), and what people call them.
STATE = {
    "status": "state",
    "check_status": "check",
    "check_code": "check_code",
    "last_chk": "said",
}
NUMBERS = {"lastchg": "since_s", "scur": "sessions", "weight": "weight"}
COUNTED = (
    "stot", "req_tot", "hrsp_4xx", "hrsp_5xx", "econ", "eresp", "wretr", "wredis", "chkfail",
    "srv_abrt", "cli_abrt", "rtime", "scur",
)  # fmt: skip

Stats = Mapping[tuple[str, str], Mapping[str, str]]


def listeners_about(running: Running, what: str) -> tuple[Listener, ...]:
    """Return the listeners that a service, port, host name or instance has."""
    return tuple(listener for listener in all_listeners(running) if _is_about(listener, what))


def all_listeners(running: Running) -> tuple[Listener, ...]:
    """Return the listeners of all services."""
    every = running.config.listeners if running.config else ()
    return tuple(listener for listener in every if listener.service)


def _is_about(listener: Listener, what: str) -> bool:
    if what in (listener.service, str(listener.port), listener.name, own_name(listener)):
        return True
    if what == f"{listener.service}:{listener.port}":
        return True
    if any(route.partition("/")[0] == what for route in listener.routes):
        return True
    return any(is_instance(server, what) for server in listener.servers)


def is_instance(server: Server, what: str) -> bool:
    """Whether a server is of this container, or of its port."""
    if what in (server.name, server.endpoint):
        return True
    return bool(_CONTAINER.fullmatch(what)) and server.name.startswith(what[:DIGITS])


def questions(listeners: Iterable[Listener]) -> tuple[str, ...]:
    """Return what to ask HAProxy about the servers of listeners."""
    return tuple(f"@1 show stat {name} 4 -1" for name in sorted({it.name for it in listeners}))


def stats_of(answers: Iterable[str]) -> Stats:
    """Return each server's columns by proxy and server."""
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for answer in answers:
        if not answer.startswith("# "):
            continue  # such a proxy does not run
        for row in csv.DictReader(io.StringIO(answer.removeprefix("# "))):
            found[row["pxname"], row["svname"]] = row
    return found


def rows_about(
    running: Running, listeners: Iterable[Listener], what: str, stats: Stats
) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each server: what was laid out, and how it is; only those of an instance."""
    for listener in listeners:
        only = [server for server in listener.servers if is_instance(server, what)]
        seats = running.seats.get(listener.name)
        for server in only or listener.servers:
            slot = seats.slots.get(server.name, server.name) if seats else server.name
            yield {
                "listener": own_name(listener),
                "service": listener.service,
                "port": listener.port,
                "instance": server.name,
                "address": server.endpoint,
                "slot": slot,
                "role": "stub" if server.stub else "real",
                "draining": server.draining,
                "backup": server.backup,
                "configured_weight": server.weight,
                **_state(stats.get((listener.name, slot))),
            }


def _state(columns: Mapping[str, str] | None) -> Mapping[str, Any]:
    if columns is None:
        return {"state": "unknown"}

    texts = {name: columns.get(column, "") for column, name in STATE.items()}
    return texts | {name: _number(columns.get(column)) for column, name in NUMBERS.items()}


def service_row(
    running: Running, listener: Listener, stats: Stats, *, with_since: bool = True
) -> Mapping[str, Any]:
    """Return how many servers of a service are up; of those that are not, what one check says.

    `up` and `real` count what is neither a stub nor draining. `since_s` says for how long it has
    been so: an answer that has it differs each second.
    """
    every = tuple(rows_about(running, (listener,), "", stats))
    real = [row for row in every if row["role"] == "real" and not row["draining"]]
    stubs = [row for row in every if row["role"] == "stub" and not row["draining"]]
    down = [row for row in every if not row["draining"] and not is_up(row)]
    row = {
        "service": listener.service,
        "port": listener.port,
        "mode": listener.mode,
        "up": sum(map(is_up, real)),
        "real": len(real),
        "stubs_up": sum(map(is_up, stubs)),
        "stubs": len(stubs),
        "draining": len(every) - len(real) - len(stubs),
        "why": " ".join(f"{it.get('check', '')} {it.get('said', '')}" for it in down[:1]).strip(),
        "since_s": _since_s(real or stubs) if with_since else 0,
    }
    return {name: value for name, value in row.items() if value}


def _since_s(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how long ago the last of these went down or, if all are up, came the oldest."""
    down = [row.get("since_s", 0) for row in rows if not is_up(row)]
    return min(down) if down else max((row.get("since_s", 0) for row in rows), default=0)


def is_up(row: Mapping[str, Any]) -> bool:
    """Whether HAProxy calls a server."""
    return str(row["state"]).startswith(("UP", "no check"))


def counted(columns: Mapping[str, str]) -> Mapping[str, int]:
    """Return what HAProxy has counted of a server since its worker started."""
    return {name: _number(columns[name]) for name in COUNTED if columns.get(name)}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def listener_row(listener: Listener) -> Mapping[str, Any]:
    """Return what a caller has to know of a listener."""
    return {
        "name": own_name(listener),
        "service": listener.service,
        "port": listener.port,
        "mode": listener.mode,
        "listens": [str(bind) for bind in listener.binds],
        "routes": list(listener.routes),
        "check": listener.check.kind,
        "check_path": listener.check.path,
    }


def refused_about(
    problems: Mapping[str, Problem], what: str, services: Iterable[str]
) -> Iterator[Mapping[str, str]]:
    """Yield what is refused here of it: by its name, or by a key that has it as a part."""
    words = {what, *services}
    for where, problem in problems.items():
        parts = set(re.split(r"[/ :]", where)) | {where}
        if words & parts or any(_CONTAINER.fullmatch(w) and w[:DIGITS] in where for w in words):
            yield {"where": where, "code": problem.code, "text": problem.text}
