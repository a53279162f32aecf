"""What the pair refuses: names and ports in dispute, and all else with a code. No I/O."""

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.asking.refusals import Refusals
from ctl.view.doctor.finding import Finding, Level, listed
from ctl.view.doctor.hosts import Hosts
from ctl.view.remedies import remedy
from ctl.view.services import ON_PURPOSE

# Where these stand, a service is not called as it asks to be; all others are served somehow.
GRAVE = (
    "PORT_CLAIMED", "HOST_CLAIMED", "NAME_TAKEN", "PORT_IN_USE", "OWN_ADDRESS", "PORT_RESERVED",
    "QUARANTINED", "CONFIGURATION_REFUSED",
)  # fmt: skip
HAND_OVER = "operations.md#hand-over-a-port-or-a-name"
CLAIMS = ("PORT_CLAIMED", "HOST_CLAIMED", "NAME_TAKEN")


def dispute_findings(hosts: Hosts) -> tuple[Finding, ...]:
    """Return what docker-discovers refuse, and what docker-registers do not publish."""
    found = (*_refused(hosts), *_not_published(hosts))
    return found or (Finding("ok", "no name, port or record is refused"),)


def _refused(hosts: Hosts) -> Iterator[Finding]:
    by_refusal: dict[tuple[str, str], list[str]] = {}
    for host in hosts.of(hosts.told):
        for code, text in _rows(hosts.told[host].facts):
            by_refusal.setdefault((code, text), []).append(host)

    for (code, text), where in sorted(by_refusal.items()):
        level: Level = "error" if code in GRAVE else "warn"
        docs = HAND_OVER if code in CLAIMS else "reasons.md#docker-discover"
        yield Finding(level, f"{code} on {listed(where)}: {text}", _helps(code), docs)

    for host in hosts.of(hosts.told):
        if more := hosts.told[host].facts.get("refused_more"):
            text = f"{host} refuses {more} more"
            yield Finding("warn", text, f"curl -sS 127.0.0.1:9302/explain, on {host}")


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows = facts.get("refused")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            yield str(row.get("code", "")), str(row.get("text", ""))


def _not_published(hosts: Hosts) -> Iterator[Finding]:
    for host in hosts.of(hosts.fleet.refusals):
        rows = [it for it in _of(hosts.fleet.refusals[host]) if it[0] not in ON_PURPOSE]
        if rows:
            shown = listed([f"{where} ({code})" for code, where in rows], 3)
            text = f"{host}: {len(rows)} containers or ports are not published: {shown}"
            helps = "tandem ls --problems"
            yield Finding("warn", text, helps, "reasons.md#docker-register")


def _of(refusals: Refusals) -> Iterator[tuple[str, str]]:
    for row in refusals.rows:
        yield row.code, row.where


def _helps(code: str) -> str:
    """Return the line that helps; nothing where the documents alone have it."""
    line = remedy(code)
    return "" if line.startswith("docs/") else line
