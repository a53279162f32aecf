"""From what containers offer to what shall stand in etcd: only what is ready. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from catalog.keys import identity, key_of
from catalog.records.record import Instance
from register.docker.container import Container
from register.offer.instances import Offer
from register.ready.crash_loop import History, is_looping, well_from_s
from register.reasons import because
from sidecar.status.problems import Problem

# A connection was accepted; the port cannot be probed from here; or neither is known yet.
ProbeResult = Literal["accepted", "unprobed", "waiting"]

SocketAddress = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Started:
    """One port of one start of a container: what a probe's result holds for."""

    container: str
    started_ns: int
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """What to connect to.

    `direct` are the container's own addresses, where a refusal means something.
    """

    started: Started
    direct: tuple[SocketAddress, ...]
    announced: SocketAddress


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known about containers besides their list.

    `proven` was published by an earlier life of this registrar, which had probed it.
    """

    probed: Mapping[Started, ProbeResult]
    proven: frozenset[Started]
    histories: Mapping[str, History]


@dataclass(frozen=True, slots=True)
class Desired:
    """What shall stand in etcd by key, why the rest shall not, and what to probe.

    `due_s`: when to decide again without an event.
    """

    instances: Mapping[str, Instance]
    reasons: Mapping[str, Problem]
    targets: tuple[Target, ...]
    due_s: float | None


@dataclass(frozen=True, slots=True)
class InstanceKeys:
    """The keys of one host's instances."""

    prefix: str
    host: str

    def of(self, instance: Instance) -> str:
        """Return the key of an instance."""
        return key_of(self.prefix, identity(self.host, instance))


def desired(
    offers: Iterable[Offer], keys: InstanceKeys, findings: Findings, host_ip: str, now_s: float
) -> Desired:
    """Return what shall stand in etcd now. `now_s` is the monotonic clock's."""
    offers = tuple(offers)
    decision = _Decision(keys, findings, _holders(offers), host_ip, now_s)
    for offer in offers:
        decision.add(offer)
    return decision.result()


class _Decision:
    """Decides offer by offer, and collects what that gives."""

    def __init__(
        self,
        keys: InstanceKeys,
        findings: Findings,
        holders: Mapping[SocketAddress, Container],
        host_ip: str,
        now_s: float,
    ) -> None:
        self._keys = keys
        self._findings = findings
        self._holders = holders
        self._host_ip = host_ip
        self._now_s = now_s
        self._instances: dict[str, Instance] = {}
        self._reasons: dict[str, Problem] = {}
        self._targets: list[Target] = []
        self._due_s: list[float] = []

    def add(self, offer: Offer) -> None:
        """Decide about one container."""
        history = self._findings.histories[offer.container.id]
        if is_looping(offer.container, history, self._now_s):
            self._reasons[offer.container.name] = _looping(offer.container)
            self._due_s.append(history.due_s)
            return

        self._reasons.update(offer.reasons)
        well_s = well_from_s(history, self._now_s)
        if self._now_s < well_s:
            self._due_s.append(well_s)

        ready, others = self._probed(offer)
        for instance in ready:
            self._offer(offer.container, instance, is_well=self._now_s >= well_s)
        for instance in others:
            self._reasons.update([_not_listening(offer.container, instance)])

    def _probed(self, offer: Offer) -> tuple[list[Instance], list[Instance]]:
        """Return the instances that are ready, and the others; note what is to be probed."""
        ready: list[Instance] = []
        others: list[Instance] = []
        for instance in offer.instances:
            target = target_of(offer, instance, self._host_ip)
            if target is not None:
                self._targets.append(target)
            (ready if _is_ready(target, self._findings) else others).append(instance)
        return ready, others

    def _offer(self, container: Container, instance: Instance, *, is_well: bool) -> None:
        holder = self._holders[instance.address, instance.port]
        if holder is not container:
            self._reasons.update([_taken(container, instance, holder)])
            return

        key = self._keys.of(instance)
        if not is_well:
            leaving = instance.leaving or "unhealthy"
            instance = replace(instance, state="draining", leaving=leaving)
        self._instances[key] = instance

    def result(self) -> Desired:
        """Return what was decided."""
        later_s = [at_s for at_s in self._due_s if at_s > self._now_s]
        due_s = min(later_s, default=None)
        return Desired(self._instances, self._reasons, tuple(self._targets), due_s)


def target_of(offer: Offer, instance: Instance, host_ip: str) -> Target | None:
    """Return what to probe; None where a HEALTHCHECK has spoken for the one port there is.

    Of several ports, it says nothing about each. A container on its way out is probed too: one
    that was never ready is not published for its last seconds, and one that was stays published.
    """
    container = offer.container
    if container.health is not None and len(offer.instances) == 1:
        return None

    port = instance.container_port
    addresses = (host_ip,) if container.network_mode == "host" else container.addresses
    return Target(
        Started(container.id, container.started_ns, port),
        tuple((address, port) for address in addresses),
        (instance.address, instance.port),
    )


def proven(
    offers: Iterable[Offer], keys: InstanceKeys, published: Mapping[str, Instance], host_ip: str
) -> frozenset[Started]:
    """Return what an earlier life of this registrar published at the same address.

    That life had probed it.
    """
    found: set[Started] = set()
    for offer in offers:
        for instance in offer.instances:
            before = published.get(keys.of(instance))
            target = target_of(offer, instance, host_ip)
            if target and before and (before.address, before.port) == target.announced:
                found.add(target.started)
    return frozenset(found)


def on_drained_host(wanted: Desired, why: str) -> Desired:
    """Return what shall stand in etcd on a host that is drained: nothing, and that is why."""
    problem = because("HOST_DRAINED", why)
    withheld = {
        f"{instance.container_name}:{instance.container_port}": problem
        for instance in wanted.instances.values()
    }
    return replace(wanted, instances={}, reasons={**wanted.reasons, **withheld})


def _holders(offers: Iterable[Offer]) -> Mapping[SocketAddress, Container]:
    """Return the container that has each announced address.

    Docker's published ports come before the guesses of the host network, then the older container:
    the one that was seen before, as the engine's clock may have been put back.
    A program that does not listen on the host's network, though its label says so, would else be
    taken for ready by the answer of another one.
    """

    def order(offer: Offer) -> tuple[bool, float, int, str]:
        container = offer.container
        is_guess = container.network_mode == "host"
        return (is_guess, container.seen_s, container.started_ns, container.id)

    holders: dict[SocketAddress, Container] = {}
    for offer in sorted(offers, key=order):
        for instance in offer.instances:
            holders.setdefault((instance.address, instance.port), offer.container)
    return holders


def _is_ready(target: Target | None, findings: Findings) -> bool:
    if target is None or target.started in findings.proven:
        return True
    return findings.probed.get(target.started, "waiting") != "waiting"


def _looping(container: Container) -> Problem:
    help_ = f"`docker logs {container.name}` may say why it ends"
    text = f"{container.name} keeps restarting: offered again once it stays up for a while; {help_}"
    return because("CRASH_LOOP", text)


def _taken(container: Container, instance: Instance, holder: Container) -> tuple[str, Problem]:
    address = f"{instance.address} port {instance.port}"
    seen = f"{container.name} has the same address as {holder.name}, {address}"
    text = f"{seen}: give one of them another port"
    return f"{container.name}:{instance.container_port}", because("ADDRESS_TAKEN", text)


def _not_listening(container: Container, instance: Instance) -> tuple[str, Problem]:
    port = instance.container_port
    text = f"nothing accepts connections on port {port} of {container.name} yet"
    return f"{container.name}:{port}", because("NOT_LISTENING", text)
