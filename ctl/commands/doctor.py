"""`tandem doctor`: look at etcd, all hosts, disputes, this machine and its ports at once."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from catalog.asking.answer import Answer
from catalog.asking.ask import CONDITION, Ask
from catalog.errors import Full, Refused, Unavailable
from catalog.keys import DrainedKey, PurgeKey
from ctl.asking import Asking
from ctl.commands.shared import DOCUMENTS, look, show_document, with_document, with_reach
from ctl.ends import DONE, GUARD, NO, NOT_FOUND, UNREACHABLE, End
from ctl.examine.kernel import boot_id, is_own, sysctls
from ctl.examine.own_proxy import own_proxy
from ctl.examine.ports import why_silent
from ctl.line.command import Command
from ctl.line.types import HOST, TIME
from ctl.settings import Reach
from ctl.view.doctor.disputes import dispute_findings
from ctl.view.doctor.etcd import ALARM_HELPS, FULL, RIGHTS, etcd_findings
from ctl.view.doctor.finding import Finding, Group, Report, document_of, lines_of
from ctl.view.doctor.from_here import (
    MIGRATE,
    Called,
    Port,
    call_findings,
    machine_findings,
    own_proxy_findings,
)
from ctl.view.doctor.hosts import Hosts, Told, host_findings
from ctl.view.doctor.standing import explained_rows, marked, own_hosts, ports_of
from ctl.view.names import not_found

HELP = """Look for what is wrong with etcd, hosts, names, ports and this machine.

\b
  tandem doctor
  tandem doctor --fail-on warn          in CI: warnings end it with 1 as well
  tandem doctor --wait 60s              again until nothing is wrong, for at most a minute
  tandem doctor --host a                only what host a says, and of host a

It reads and asks, and calls each service port of this machine once; it changes nothing.

Status 0: no error; 1: there are errors; 5: etcd is away, and the rest is told.
"""
MEMBER_S = 2.0  # for each answer of a member of etcd
WITHIN_S = 3.0
AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Here:
    """What is known of this machine: the hosts that it is, and the service ports to call."""

    hosts: frozenset[str]
    ports: tuple[Port, ...]


@click.command("doctor", cls=Command, help=HELP)
@click.option("--host", metavar="HOST", type=HOST, help="only what this host says, and of it")
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warn")),
    default="error",
    show_default=True,
    help="what ends it with status 1",
)
@click.option("--wait", "patience_s", default="0s", type=TIME, help="look again until all is well")
@with_document
@with_reach
def command(reach: Reach, host: str | None, fail_on: str, patience_s: float, output: str) -> int:
    """Look, and again while something is wrong and there is time."""
    until_s = time.monotonic() + patience_s
    pause = threading.Event()
    report, status = _looked(reach, host or "")
    while (status or report.fails(fail_on)) and time.monotonic() < until_s:
        pause.wait(AGAIN_S)
        report, status = _looked(reach, host or "")

    _show(report, output)
    return status or (NO if report.fails(fail_on) else DONE)


def _show(report: Report, output: str) -> None:
    if output in DOCUMENTS:
        show_document(document_of(report), output)
        return

    for line in lines_of(report):
        click.echo(look().line(line))


def _looked(reach: Reach, only: str) -> tuple[Report, int]:
    """Return what there is to say, and the status that says why etcd told nothing, if so."""
    from catalog.etcd.members import look_at  # --help needs no grpc  # noqa: PLC0415

    etcd = etcd_findings(look_at(reach.access, MEMBER_S))
    try:
        hosts, here = _asked(reach, only)
    except Unavailable as error:
        return Report(
            (Group("etcd", (*etcd, *_why_not_asked(reach, error))), *_without_etcd())
        ), _status(error)

    called = _called(here.ports)
    is_host = bool(here.hosts) or any(not it.why for it in called)
    return Report(
        (
            Group("etcd", etcd),
            Group("hosts", host_findings(hosts)),
            Group("names and ports", dispute_findings(hosts)),
            Group("this machine", _machine(is_host=is_host)),
            Group("from here", call_findings(called, is_host=is_host)),
        )
    ), DONE


def _without_etcd() -> Iterator[Group]:
    """Yield what can be told of this machine alone."""
    environ: Mapping[str, str] = click.get_current_context().obj
    explained = own_proxy(environ)
    is_host = explained is not None
    machine = (*own_proxy_findings(explained), *_machine(is_host=is_host))
    yield Group("this machine", machine)
    if explained is not None:
        called = _called(ports_of(explained_rows(explained), ()))
        yield Group("from here", call_findings(called, is_host=is_host))


def _called(ports: Sequence[Port]) -> list[Called]:
    return [
        Called(port.service, port.address, why)
        for port, why in zip(ports, why_silent(ports), strict=True)
    ]


def _status(error: Unavailable) -> int:
    if isinstance(error, Full):
        return NO
    return GUARD if isinstance(error, Refused) else UNREACHABLE


def _why_not_asked(reach: Reach, error: Unavailable) -> Iterator[Finding]:
    """Say why etcd takes no question; that it is away is said of its members."""
    if isinstance(error, Refused):
        rights = f"to read {reach.prefix}/ and to write below {reach.prefix}/v1/asks/"
        helps = f"give it the right {rights}"
        yield Finding("error", f"this user may not ask: {error}", helps, RIGHTS)
    elif isinstance(error, Full):
        yield Finding("error", f"nobody can be asked: {error}", ALARM_HELPS["NOSPACE"], FULL)


def _machine(*, is_host: bool) -> tuple[Finding, ...]:
    return machine_findings(sysctls((MIGRATE,)), is_host=is_host)


def _asked(reach: Reach, only: str) -> tuple[Hosts, Here]:
    """Ask every docker-discover. Raises Unavailable, and End if there is no such host."""
    asked = Ask(CONDITION, hosts=(only,) if only else (), by="tandem doctor")
    sent_ms = _now_ms()
    told: dict[str, Told] = {}
    rows: list[Mapping[str, object]] = []
    with Asking(reach.access, reach.prefix) as asking:
        for heard in asking.ask(asked, WITHIN_S, sides=("discover",)):
            told[heard.host] = Told(_facts(heard.answer), sent_ms, _now_ms())
            rows += heard.answer.rows

    fleet = asking.fleet
    known = fleet.proxies.keys() | fleet.owners
    if only and only not in known:
        raise End(NOT_FOUND, not_found(only, known))

    hosts = Hosts(
        fleet=fleet,
        told=told,
        silent=frozenset(host for host, _side in asking.silent),
        too_old=frozenset(host for host, _side in asking.unable),
        drained=marked(reach.prefix, asking.entries, DrainedKey),
        purged=marked(reach.prefix, asking.entries, PurgeKey),
        revision=asking.revision,
        within_s=WITHIN_S,
        only=only,
    )
    here = own_hosts(reach.prefix, asking.entries, boot_id(), is_own)
    listens = [fleet.proxies[host].listens for host in here if host in fleet.proxies]
    return hosts, Here(here, ports_of(rows, listens[0] if listens else ()))


def _facts(said: Answer) -> Mapping[str, object]:
    return said.facts if said.status == "answer" else {"failed": said.text or said.status}


def _now_ms() -> int:
    return round(1000 * time.time())
