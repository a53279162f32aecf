"""The way of the data, step by step: container, record, lease, each proxy, check. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctl.asking import Heard
from ctl.fleet import Fleet
from ctl.view.published import Published
from ctl.view.steps.catalog import Held, held_steps, lease_steps, record_step
from ctl.view.steps.containers import container_steps
from ctl.view.steps.proxies import proxy_steps
from ctl.view.steps.step import STAGES, Step, not_reached, refusal
from ctl.view.waiting import is_up

__all__ = ["Chain", "Step", "chain_of", "lines_of"]


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
    heard: Sequence[Heard],
    fleet: Fleet,
    silent: Iterable[str],
    records: Sequence[Published] = (),
    held: Sequence[Held] = (),
    what: str = "",
) -> Chain:
    """Return the chain of all that was answered; of each sidecar the last answer counts.

    `records` are those of etcd that it is about, `held` all that is held.
    """
    last = sorted({(it.host, it.side): it for it in heard}.values(), key=lambda it: it.host)
    registers = [it for it in last if it.side == "register"]
    discovers = [it for it in last if it.side == "discover"]

    steps = [step for it in registers for step in container_steps(it)]
    told = {it.host for it in registers if any(row.get("published") for row in it.answer.rows)}
    steps += [record_step(it) for it in records if it.host not in told]
    steps += lease_steps(told | {it.host for it in records}, fleet)

    services = {it.instance.service for it in records}
    of_holds = list(held_steps(held, what, services))
    refused = [step for it in discovers for step in _refused_here(it)]
    about = [it for it in discovers if it.answer.status == "answer"]
    if not (steps or about or refused or of_holds):
        return Chain((), {})

    hosts = {it.host: _is_served(it) for it in discovers}
    if not (about or refused or records) and (behind := not_reached("", steps)):
        steps.append(behind)  # that no HAProxy has it is no news
        silent = ()
    else:
        of_proxies = [*refused, *(step for it in discovers for step in proxy_steps(it))]
        of_proxies += of_holds if refused or not about else []
        steps += sorted(of_proxies, key=lambda step: STAGES.index(step.stage))

    for host in sorted(silent):
        text = "its docker-discover is there, and does not answer"
        steps.append(Step("✗", host, text, help=f"on {host}: docker logs docker-discover"))
        hosts[host] = False
    return Chain(tuple(steps), hosts)


def _is_served(heard: Heard) -> bool:
    """Whether calls on a host are served: an instance is up, and no other program has the port."""
    codes = {refused.get("code") for refused in heard.answer.facts.get("refused", ())}
    is_well = heard.answer.status == "answer" and "PORT_IN_USE" not in codes
    return is_well and any(map(is_up, heard.answer.rows))


def _refused_here(heard: Heard) -> Iterator[Step]:
    for refused in heard.answer.facts.get("refused", ()):
        yield refusal(heard.host, refused)


def lines_of(chain: Chain) -> Iterator[str]:
    """Yield the chain as text; what several hosts say alike is one line."""
    alike: dict[tuple[str, ...], list[Step]] = {}
    for step in chain.steps:
        alike.setdefault((step.mark, step.code, step.text, step.stage), []).append(step)

    where = {
        key: ",".join(dict.fromkeys(step.host for step in steps if step.host))
        for key, steps in alike.items()
    }
    width = max(map(len, where.values()), default=0)
    for key, (step, *_others) in alike.items():
        code = f"{step.code}  " if step.code else ""
        yield f"{step.mark} {where[key].ljust(width)}  {code}{step.text}"
        if step.help:
            yield f"  {' ' * width}    helps: {step.help}"
        if step.page:
            yield f"  {' ' * width}    {step.page}"
