"""The page of a service, or of one of its instances. No I/O."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ctl.view.calling.seen import SeenPort, seen_ports
from ctl.view.calling.ways import ways_of
from ctl.view.chain import Step, chain_of
from ctl.view.page import container, instances, proxies, settings
from ctl.view.page.page import Page, Section
from ctl.view.page.told import Told

Row = Mapping[str, Any]
# Hosts that see the same see it for another time each.
_AGE = re.compile(r" for \d+[smhd]\b")
CALL = ("from", "call", "how")


def service_page(told: Told, kind: str = "service", events: Sequence[Section] = ()) -> Page:
    """Return the page of a service or, as an `instance`, of one container."""
    seen = seen_ports(told.heard)
    chain = chain_of(told.heard, told.fleet, told.silent, told.records)
    rows = instances.instance_rows(seen, told.records, told.heard)
    set_rows = settings.setting_rows(told.records, told.heard)
    if any(row["container"] == settings.FILE and row["role"] == "real" for row in rows):
        # What the file says is older than any container, so it decides.
        set_rows = settings.file_rows(seen)
    of_docker = container.container_rows(told.heard, told.now_s) if kind == "instance" else ()
    sections = (
        Section("containers", "Container", container.COLUMNS, of_docker),
        Section("call", "Call it", _call_columns(seen), call_rows(seen, told)),
        Section("instances", "Instances", instances.COLUMNS, rows, "none"),
        Section(
            "hosts",
            "Seen from every host",
            proxies.COLUMNS,
            proxies.proxy_rows(told.fleet, told.heard, seen),
            "no docker-discover says that it is there",
        ),
        Section(
            "settings",
            "Settings (all others have their default)",
            settings.COLUMNS,
            set_rows,
            shown=[row for row in set_rows if _is_shown(row)],
        ),
    )
    problems = problems_of(chain.steps)
    return Page(kind, told.what, _said(told.what, seen, rows), problems, (*sections, *events))


def problems_of(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return what is wrong; the same on several hosts is one step of all of them."""
    hosts: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        if step.mark == "✗":
            hosts.setdefault((step.code, _AGE.sub("", step.text)), []).append(step)
    return tuple(
        replace(same[0], host=",".join(dict.fromkeys(step.host for step in same)))
        for same in hosts.values()
    )


def _is_shown(row: Row) -> bool:
    return row["by"] != settings.DEFAULT or row["setting"] in ("port", "mode", "check")


def _call_columns(seen: Sequence[SeenPort]) -> Sequence[str]:
    return CALL if len(seen) <= 1 else ("port", *CALL)


def call_rows(seen: Iterable[SeenPort], told: Told) -> tuple[Row, ...]:
    """Return a row for each kind of caller of each port."""
    return tuple(
        {
            "service": port.service,
            "port": port.port or None,
            "from": way.caller,
            "call": way.url or way.address or None,
            "address": way.address or None,
            "url": way.url or None,
            "how": way.how,
        }
        for port in seen
        for way in ways_of(port, told.fleet.proxies, told.records)
    )


def _said(what: str, seen: Sequence[SeenPort], rows: Sequence[Row]) -> str:
    """Return how it is, in one line."""
    if not seen:
        return "no HAProxy has it" + (", though it is published" if rows else "")
    return "; ".join(
        _port_said(port) if port.service == what else f"{port.service} {_port_said(port)}"
        for port in seen
    )


def _port_said(seen: SeenPort) -> str:
    real, stubs = seen.ups
    servers = [row for rows in seen.servers.values() for row in rows]
    wanted = len({row.get("instance") for row in servers if row.get("role") == "real"})
    where = f"port {seen.port}, {seen.mode}" if seen.port else f"by name alone, {seen.mode}"
    hosts = len(seen.listeners)
    counted = f"{real}/{wanted} ready on {hosts} host{'' if hosts == 1 else 's'}"

    match seen.state:
        case "stub":
            return f"{where}: a stub answers ({stubs} up)"
        case "down":
            return f"{where}: nobody answers, {counted}"
    return f"{where}: {counted}"
