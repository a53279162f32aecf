"""The page of a host: its sidecars, what runs there, what nobody else has. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view import proxies
from ctl.view.chain import Step
from ctl.view.page.page import Page, Section
from ctl.view.published import Published
from ctl.view.remedies import remedy
from ctl.view.services import ON_PURPOSE
from ctl.view.times import ago

RUNS = ("service", "port", "container", "id", "image", "address", "state", "role", "started")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HostTold:
    """What is known of a host; `lost` are rows of services that would miss it."""

    host: str
    fleet: Fleet
    records: Sequence[Published] = ()  # of this host
    applied: Sequence[Heard] = ()
    revision: int = 0  # of the question about it
    is_drained: bool = False
    lost: Sequence[Row] = field(default_factory=tuple)
    now_s: float = 0.0  # since 1970


def host_page(told: HostTold, events: Sequence[Section] = ()) -> Page:
    """Return the page."""
    rows = proxies.proxy_rows(told.fleet, told.applied, told.revision)
    of_proxy = [row for row in rows if row["host"] == told.host]
    said = told.fleet.refusals.get(told.host)
    refused = [
        {"where": it.where, "code": it.code, "text": it.text}
        for it in (said.rows if said else ())
        if it.code not in ON_PURPOSE
    ]
    sections = (
        Section("proxy", "docker-discover", proxies.COLUMNS["wide"][1:], of_proxy, "none"),
        Section("instances", "Runs there", RUNS, _runs(told), "nothing that is published"),
        Section(
            "lost",
            "Without an instance, if it left",
            ("service", "then"),
            told.lost,
            "nothing: all that is called has another one",
        ),
        Section("refused", "Not published", ("where", "code", "text"), refused),
    )
    return Page("host", told.host, _said(told), tuple(_problems(told)), (*sections, *events))


def lost_rows(
    host: str, published: Iterable[Published], nobody: Iterable[str], only_stubs: Iterable[str]
) -> list[Row]:
    """Return what callers would miss without a host.

    `nobody` and `only_stubs` are services that lose their last real instance; others may have
    nothing but a stub, and that on this host.
    """
    lost = dict.fromkeys(nobody, "nobody answers")
    lost |= dict.fromkeys(only_stubs, "a stub answers")

    ready = [it for it in published if it.instance.state == "ready"]
    elsewhere = {it.instance.service for it in ready if it.host != host}
    for it in ready:
        if it.host == host and it.instance.service not in elsewhere:
            lost.setdefault(it.instance.service, "nobody answers, its stub is here, too")
    return [{"service": service, "then": then} for service, then in sorted(lost.items())]


def _runs(told: HostTold) -> list[Row]:
    rows = []
    for it in told.records:
        instance = it.instance
        started_s = instance.started_ms / 1000 if instance.started_ms else None
        rows.append(
            {
                "service": instance.service,
                "port": instance.service_port or "auto",
                "container": instance.container_name or None,
                "id": it.short,
                "image": instance.image or None,
                "address": it.address,
                "state": instance.state,
                "role": instance.role,
                "started": None if started_s is None else f"{ago(told.now_s - started_s)} ago",
            }
        )
    return sorted(rows, key=lambda row: (row["state"] == "ready", row["service"], row["id"]))


def _said(told: HostTold) -> str:
    presence = told.fleet.proxies.get(told.host)
    words = [f"{len(told.records)} instances"]
    if presence:
        words.append(f"Tandem {presence.version}, HAProxy {presence.haproxy}")
    if presence and presence.zone:
        words.append(f"zone {presence.zone}")
    words.append("lease alive" if told.host in told.fleet.owners else "no lease")
    return ", ".join(words)


def _problems(told: HostTold) -> Iterator[Step]:
    host, fleet = told.host, told.fleet
    if told.is_drained:
        help_ = remedy("HOST_DRAINED")
        yield Step("✗", host, "it is drained: docker-register publishes nothing", help=help_)
    if host not in fleet.owners:
        text = "its registrar is away: its instances are suspects until it is back"
        yield Step("✗", host, text, help="look at that host, and at its docker-register")

    presence = fleet.proxies.get(host)
    if presence is None:
        yield Step("✗", host, "no docker-discover says that it is there")
        return
    if presence.not_ready:
        yield Step("✗", host, f"docker-discover is not ready: {presence.not_ready}")
    if not told.applied:
        yield Step("✗", host, "its docker-discover is there, and does not answer")
