"""From what containers offer to what shall stand in etcd: only what is ready to be called. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from catalog.keys import identity, key_of
from catalog.record import Instance
from register.docker.container import Container
from register.offer.instances import Offer
from register.ready.crash_loop import Life, is_looping, well_from_s
from register.reasons import because
from sidecar.status.problems import Problem

# What a probe found: a connection was accepted; nothing could be found out from here; or neither yet.
Verdict = Literal["accepted", "unprobed", "waiting"]


@dataclass(frozen=True, slots=True, order=True)
class Started:
    """One port of one start of a container: what a verdict holds for."""

    container: str
    started_ns: int
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """What to connect to: straight to the container, where a refusal means something, and as it is announced."""

    started: Started
    direct: tuple[tuple[str, int], ...]
    announced: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out about containers besides their lists."""

    verdicts: Mapping[Started, Verdict]
    trusted: frozenset[
        Started
    ]  # published by an earlier life of this registrar, which had probed them
    lives: Mapping[str, Life]


@dataclass(frozen=True, slots=True)
class Desired:
    """What shall stand in etcd, by key; why the rest does not; what to probe; when to look again without an event."""

    instances: Mapping[str, Instance]
    reasons: Mapping[str, Problem]
    targets: tuple[Target, ...]
    due_s: float | None


@dataclass(frozen=True, slots=True)
class Keys:
    """Where this host's instances stand."""

    prefix: str
    host: str

    def of(self, instance: Instance) -> str:
        """Return the key of an instance."""
        return key_of(self.prefix, identity(self.host, instance))


def desired(
    offers: Iterable[Offer], keys: Keys, known: Known, host_ip: str, now_s: float
) -> Desired:
    """Return what shall stand in etcd now. `now_s` is the monotonic clock's."""
    instances: dict[str, Instance] = {}
    reasons: dict[str, Problem] = {}
    targets: list[Target] = []
    due: list[float] = []
    offers = tuple(offers)
    holders = _holders(offers)
    for offer in offers:
        life = known.lives[offer.container.id]
        if is_looping(offer.container, life, now_s):
            reasons[offer.container.name] = _looping(offer.container)
            due.append(life.due_s)
            continue
        aims = {
            instance.container_port: target_of(offer.container, instance, host_ip)
            for instance in offer.instances
        }
        ready = [i for i in offer.instances if _is_ready(aims[i.container_port], known)]
        targets += [target for target in aims.values() if target is not None]
        if flapping := now_s < (well_s := well_from_s(life, now_s)):
            due.append(well_s)
        reasons.update(offer.reasons)
        for instance in ready:
            if (holder := holders[instance.address, instance.port]) is not offer.container:
                reasons.update([_taken(offer.container, instance, holder)])
            else:
                instances[keys.of(instance)] = (
                    replace(instance, state="draining") if flapping else instance
                )
        reasons.update(
            dict(_not_listening(offer.container, i) for i in offer.instances if i not in ready)
        )
    return Desired(
        instances, reasons, tuple(targets), min((s for s in due if s > now_s), default=None)
    )


def target_of(container: Container, instance: Instance, host_ip: str) -> Target | None:
    """Return what to probe; None where a HEALTHCHECK has spoken.

    Also for one on its way out: what was never ready is not published for its last seconds, and what was stays so.
    """
    if container.health is not None:
        return None
    addresses = (host_ip,) if container.network_mode == "host" else container.addresses
    return Target(
        Started(container.id, container.started_ns, instance.container_port),
        tuple((address, instance.container_port) for address in addresses),
        (instance.address, instance.port),
    )


def proven(
    offers: Iterable[Offer], keys: Keys, published: Mapping[str, Instance], host_ip: str
) -> frozenset[Started]:
    """Return what an earlier life of this registrar has published at the same address, and so had probed."""
    pairs = [(offer.container, instance) for offer in offers for instance in offer.instances]
    targets = {
        keys.of(instance): target_of(container, instance, host_ip) for container, instance in pairs
    }
    return frozenset(
        target.started
        for key, target in targets.items()
        if target
        and key in published
        and (published[key].address, published[key].port) == target.announced
    )


def _holders(offers: Iterable[Offer]) -> Mapping[tuple[str, int], Container]:
    """Return whose each announced address is: Docker's published ports before a host network's guesses, then the older.

    A program that is to listen on the host's network, but does not, would be taken for ready by another's answer.
    """

    def order(offer: Offer) -> tuple[bool, int, str]:
        return (
            offer.container.network_mode == "host",
            offer.container.started_ns,
            offer.container.id,
        )

    holders: dict[tuple[str, int], Container] = {}
    for offer in sorted(offers, key=order):
        for instance in offer.instances:
            holders.setdefault((instance.address, instance.port), offer.container)
    return holders


def _is_ready(target: Target | None, known: Known) -> bool:
    if target is None or target.started in known.trusted:
        return True
    return known.verdicts.get(target.started, "waiting") != "waiting"


def _looping(container: Container) -> Problem:
    text = f"{container.name} keeps restarting: offered again once it stays up for a while"
    return because("CRASH_LOOP", text)


def _taken(container: Container, instance: Instance, holder: Container) -> tuple[str, Problem]:
    text = f"{container.name} would be announced at {instance.address} port {instance.port}, where {holder.name} is"
    return f"{container.name}:{instance.container_port}", because("ADDRESS_TAKEN", text)


def _not_listening(container: Container, instance: Instance) -> tuple[str, Problem]:
    port = instance.container_port
    text = f"nothing accepts connections on port {port} of {container.name} yet"
    return f"{container.name}:{port}", because("NOT_LISTENING", text)
