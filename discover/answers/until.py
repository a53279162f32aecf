"""Whether what is waited for is so in this host's HAProxy: a row for each name. No I/O."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.asking.goal import Goal
from discover.answers.proxy_facts import (
    Stats,
    is_instance,
    is_up,
    listeners_about,
    refused_about,
    rows_about,
)
from discover.apply.running import Running
from discover.model.proxy_config import Listener
from discover.model.spare_backends import own_name
from sidecar.status.problems import Problem

_WORKER = re.compile(r"^(\d+)\s+worker\b", re.MULTILINE)
# Of a server that is not up, the words of one check are enough.
SAID_MAX = 1


@dataclass(frozen=True, slots=True)
class Name:
    """One name that is waited for, and the listeners that it is about."""

    text: str
    listeners: tuple[Listener, ...]

    @property
    def is_one_instance(self) -> bool:
        """Whether only one instance of a service is meant."""
        return any(is_instance(it, self.text) for each in self.listeners for it in each.servers)


def names_of(running: Running, names: Iterable[str]) -> tuple[Name, ...]:
    """Return what HAProxy runs of each name."""
    return tuple(Name(name, listeners_about(running, name)) for name in names)


def needs_states(goal: Goal, names: Sequence[Name]) -> bool:
    """Whether only HAProxy can say it: what is laid out does not."""
    return goal.kind in ("ready", "real", "stub", "idle") and any(it.listeners for it in names)


def row_of(
    running: Running, goal: Goal, name: Name, stats: Stats, left: int = 0
) -> Mapping[str, Any]:
    """Return whether it is so of a name, and what of it HAProxy has.

    `left` are connections of old workers to what is not called any more.
    """
    rows = list(rows_about(running, name.listeners, name.text, stats))
    called = [row for row in rows if not row["draining"]]
    real = sum(row["role"] == "real" and is_up(row) for row in called)
    stubs = sum(row["role"] == "stub" and is_up(row) for row in called)
    sessions = left + _leaving(name, rows, stats) if goal.kind == "idle" else 0

    is_so = {
        "ready": real >= goal.number,
        "real": real >= 1,
        "stub": stubs >= 1,
        "gone": not rows,
        "draining": len(rows) > len(called),
        "idle": not sessions and not (name.is_one_instance and called),
    }[goal.kind]
    found = {
        "name": name.text,
        "is": is_so,
        "real": real,
        "of": sum(row["role"] == "real" for row in called),
        "stubs": stubs,
        "draining": len(rows) - len(called),
        "sessions": sessions,
        "said": "; ".join([_said(row) for row in called if not is_up(row)][:SAID_MAX]),
    }
    return {key: value for key, value in found.items() if value or key in ("name", "is")}


def _leaving(name: Name, rows: Iterable[Mapping[str, Any]], stats: Stats) -> int:
    """Return the connections of servers that are not called any more.

    Those without an instance count too, if a whole service is meant: an instance that went may
    have left some there.
    """
    own_names = {it.name: own_name(it) for it in name.listeners}
    by_slot = {(row["listener"], row["slot"]): row for row in rows}

    found = 0
    for (proxy, server), columns in stats.items():
        row = by_slot.get((own_names.get(proxy), server))
        if row["draining"] if row else proxy in own_names and not name.is_one_instance:
            found += connections(columns)
    return found


def connections(columns: Mapping[str, str]) -> int:
    """Return how many connections a server serves now."""
    counts = (columns.get("scur", ""), columns.get("used_conn_cur", ""))
    return max((int(text) for text in counts if text.isdecimal()), default=0)


def _said(row: Mapping[str, Any]) -> str:
    """Return how a server is that is not up, in the words of its last check."""
    code = f"/{row['check_code']}" if row.get("check_code") else ""
    check = f"{row.get('check') or ''}{code} {row.get('said') or ''}".strip()
    return f"{row['address']} is {row['state']}" + (f": {check}" if check else "")


def refused_of(problems: Mapping[str, Problem], name: Name) -> list[Mapping[str, str]]:
    """Return what is refused here of a name."""
    services = {it.service for it in name.listeners}
    return list(refused_about(problems, name.text, services))


def left_in(old: Iterable[str], names: Sequence[Name], running: Running) -> Mapping[str, int]:
    """Return by name the connections of old workers to what is not called any more.

    `old` are their own tables of servers. They know other slots than the present worker, so a
    server is told by its address.
    """
    tables = [_table(answer) for answer in old]
    found = {}
    for name in names:
        proxies = {it.name for it in name.listeners}
        servers = list(rows_about(running, name.listeners, name.text, {}))
        ours = {row["address"] for row in servers}
        called = {row["address"] for row in servers if not row["draining"]}
        found[name.text] = sum(
            connections(row)
            for rows in tables
            for row in rows
            if row.get("pxname") in proxies
            and row.get("addr") not in called
            and (row.get("addr") in ours or not name.is_one_instance)
        )
    return found


def _table(answer: str) -> list[dict[str, str]]:
    if not answer.startswith("# "):
        return []  # that worker ended meanwhile
    return list(csv.DictReader(io.StringIO(answer.removeprefix("# "))))


def old_workers(processes: str) -> list[str]:
    """Return the old workers in an answer to `show proc`, as its master knows them."""
    _, _, old = processes.partition("# old workers")
    return _WORKER.findall(old.partition("# programs")[0])
