"""Versions of each host's sidecars and HAProxy as rows, what differs first. No I/O."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctl.fleet import Fleet

COLUMNS = {"table": ("host", "discover", "register", "haproxy", "note")}
COLUMNS["wide"] = COLUMNS["table"]
OLD = "older"  # than those that say their version

Row = Mapping[str, Any]


def version_rows(fleet: Fleet) -> Sequence[Row]:
    """Return a row for each host; those that are behind the newest of the fleet come first."""
    hosts = sorted({*fleet.proxies, *fleet.owners})
    rows = [_row(host, fleet) for host in hosts]
    newest = _newest([*(it["discover"] for it in rows), *(it["register"] for it in rows)])
    newest_haproxy = _newest(it["haproxy"] for it in rows)

    noted = [{**it, "note": _note(it, newest, newest_haproxy)} for it in rows]
    return sorted(noted, key=lambda row: (not row["note"], row["host"]))


def _row(host: str, fleet: Fleet) -> dict[str, Any]:
    proxy, said = fleet.proxies.get(host), fleet.refusals.get(host)
    register = (said.version if said else "") or OLD
    return {
        "host": host,
        "discover": proxy.version or OLD if proxy else None,
        "register": register if host in fleet.owners else None,
        "haproxy": (proxy.haproxy or None) if proxy else None,
    }


def _note(row: Row, newest: str, newest_haproxy: str) -> str:
    sides = ("discover", "register")
    behind = [f"docker-{it}" for it in sides if row[it] not in (None, newest)]
    notes = [f"{' and '.join(behind)} not {newest}"] if behind and newest else []
    if row["haproxy"] not in (None, newest_haproxy):
        notes.append(f"HAProxy not {newest_haproxy}")
    notes += [f"no docker-{it} says that it is there" for it in sides if row[it] is None]
    return "; ".join(notes)


def _newest(versions: Iterable[str | None]) -> str:
    known = {it for it in versions if it and it != OLD}
    return max(known, key=_parts, default="")


def _parts(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(map(int, re.findall(r"\d{1,9}", version))), version
