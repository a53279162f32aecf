"""The way of the data, step by step: container, record, lease, each proxy, check. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from catalog.host_port import host_port
from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.published import Published
from ctl.view.remedies import remedy
from ctl.view.waiting import is_up, place_of

Mark = Literal["✓", "✗", "–"]
# Codes of what is published all the same.
NOTES = (
    "NOT_APPLIED", "AMBIGUOUS_LABEL", "PARTLY_APPLIED", "LOOKS_SECRET", "NOT_READ",
    "PORT_NOT_ASKED", "ODD_FIELD",
)  # fmt: skip
# Codes that only say how one instance of several is treated, or that are meant so.
CALM = ("MODE_DIFFERS", "NO_EFFECT", "PORT_YIELDED", "HOSTS_NEED_HTTP", "NOT_CHOSEN")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ✓ the data came through, ✗ it did not, – it says nothing of that."""

    mark: Mark
    host: str
    text: str
    code: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """All steps in order; `hosts` says of each docker-discover whether calls from it are served."""

    steps: tuple[Step, ...]
    hosts: Mapping[str, bool]

    @property
    def is_known(self) -> bool:
        """Whether anybody knows anything of it."""
        return bool(self.steps)

    @property
    def is_reached(self) -> bool:
        """Whether calls from every host are served."""
        return bool(self.hosts) and all(self.hosts.values())


def chain_of(
    heard: Sequence[Heard], fleet: Fleet, silent: Iterable[str], records: Sequence[Published] = ()
) -> Chain:
    """Return the chain of all that was answered; of each sidecar the last answer counts.

    `records` are those of etcd that it is about.
    """
    last = {(it.host, it.side): it for it in heard}
    registers = [it for it in last.values() if it.side == "register"]
    discovers = sorted(
        (it for it in last.values() if it.side == "discover"), key=lambda it: it.host
    )
    about = [it for it in discovers if it.answer.status == "answer"]

    steps = [step for it in sorted(registers, key=lambda it: it.host) for step in _containers(it)]
    told = {it.host for it in registers if any(row.get("published") for row in it.answer.rows)}
    steps += [_record(it) for it in records if it.host not in told]
    steps += _leases(told | {it.host for it in records}, fleet)
    refused = {it.host: list(_refused_here(it)) for it in discovers}
    if not steps and not about and not any(refused.values()):
        return Chain((), {})

    hosts: dict[str, bool] = {}
    for it in discovers:
        proxy = list(_proxy(it))
        steps += [*refused[it.host], *proxy]
        hosts[it.host] = it.answer.status == "answer" and any(map(is_up, it.answer.rows))
    for host in sorted(silent):
        steps.append(Step("✗", host, "its docker-discover is there, and does not answer"))
        hosts[host] = False
    return Chain(tuple(steps), hosts)


def _containers(heard: Heard) -> Iterator[Step]:
    host = heard.host
    if heard.answer.status == "failed":
        yield Step("–", host, f"docker-register: {heard.answer.text}")
    for row in heard.answer.rows:
        name = f"{row.get('name', '?')} {row.get('container', '')}".strip()
        if "status" in row:
            yield _container(host, name, row)
        for refused in row.get("refused", ()):
            yield _refusal(host, refused)
        for it in row.get("published", ()):
            is_ready = it.get("state") == "ready"
            yield Step(
                "✓" if is_ready else "✗",
                host,
                f"{name} is published as {it.get('service')}:{it.get('service_port') or 'auto'} "
                f"at {it.get('address')}, {it.get('state')}"
                + (", a stub" if it.get("role") == "stub" else ""),
                help="" if is_ready else "draining: it is stopping, paused, unhealthy or drained",
            )


def _container(host: str, name: str, row: Mapping[str, Any]) -> Step:
    status, health = row.get("status"), row.get("health")
    is_well = status == "running" and health != "unhealthy"
    with_health = f", {health}" if health and health != "none" else ""
    text = f"container {name} ({row.get('image', '?')}) is {status}{with_health}"
    return Step("✓" if is_well else "✗", host, text)


def _refusal(host: str, refused: Mapping[str, Any]) -> Step:
    code = str(refused.get("code", ""))
    is_note = code in NOTES or code in CALM
    return Step(
        "–" if is_note else "✗",
        host,
        f"{place_of(refused)}: {refused.get('text', '')}",
        code,
        "" if is_note else remedy(code),
    )


def _record(it: Published) -> Step:
    instance = it.instance
    where = host_port(instance.address, instance.port)
    name = f"{instance.container_name} {it.short}".strip()
    text = f"{name} stands in etcd as {instance.service} at {where}, {instance.state}"
    return Step("✓" if instance.state == "ready" else "✗", it.host, text)


def _leases(publishing: Iterable[str], fleet: Fleet) -> Iterator[Step]:
    for host in sorted(publishing):
        if host in fleet.owners:
            yield Step("✓", host, "its registrar is there: the host's lease is alive")
        else:
            text = "its registrar is away: its instances are suspects until it is back"
            yield Step("✗", host, text, help="look at that host, and at its docker-register")


def _refused_here(heard: Heard) -> Iterator[Step]:
    for refused in heard.answer.facts.get("refused", ()):
        yield _refusal(heard.host, refused)


def _proxy(heard: Heard) -> Iterator[Step]:
    host, answer = heard.host, heard.answer
    if answer.status != "answer":
        yield Step("✗", host, f"docker-discover: {answer.text}")
        return

    revision, newest = answer.facts.get("revision", 0), answer.facts.get("etcd_revision", 0)
    is_late = isinstance(revision, int) and isinstance(newest, int) and revision < newest
    text = f"HAProxy runs revision {revision}" + (f" of {newest}" if is_late else "")
    yield Step("–" if is_late else "✓", host, text)

    for listener in answer.facts.get("listeners", ()):
        where = ", ".join([*listener.get("listens", ()), *listener.get("routes", ())])
        mark: Mark = "✓" if where else "✗"
        text = f"{listener.get('service')} listens at {where or 'no address'}"
        yield Step(mark, host, f"{text}, {listener.get('mode')}")

    if not answer.rows:
        yield Step("✗", host, "no instance is laid out")
    for row in answer.rows:
        yield _server(host, row, answer.text)


def _server(host: str, row: Mapping[str, Any], why: str) -> Step:
    state = row.get("state")
    said = " ".join(str(row.get(name) or "") for name in ("check", "said")).strip()
    text = f"{row.get('role')} {row.get('instance')} at {row.get('address')} is {state}"
    if row.get("draining"):
        return Step("–", host, f"{text}, draining")
    if is_up(row):
        since = f" for {row['since_s']} s" if row.get("since_s") else ""
        return Step("✓", host, f"{text}{since}" + (f" ({said})" if said else ""))

    help_ = f"the check of HAProxy on {host} fails: try that address from there"
    if state == "unknown":
        return Step("–", host, f"{text}: {why or 'HAProxy does not say'}")
    return Step("✗", host, f"{text}" + (f": {said}" if said else ""), help=help_)


def lines_of(chain: Chain) -> Iterator[str]:
    """Yield the chain as text."""
    width = max((len(step.host) for step in chain.steps), default=0)
    for step in chain.steps:
        code = f"{step.code}  " if step.code else ""
        yield f"{step.mark} {step.host.ljust(width)}  {code}{step.text}"
        if step.help:
            yield f"  {' ' * width}    helps: {step.help}"
