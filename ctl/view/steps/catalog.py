"""What stands in etcd: records, leases of hosts, and whose a port or a name is. No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.host_port import host_port
from catalog.keys import HoldKey, PortKey, parse_key
from catalog.records import hold, port_claim
from ctl.fleet import Fleet
from ctl.view.published import Published
from ctl.view.steps.step import Step

_THINGS = {"port": "service port", "host": "host name", "name": "the default name"}


@dataclass(frozen=True, slots=True)
class Held:
    """What belongs to a service or an origin, whether it is there or not."""

    thing: str
    holder: str
    text: str


def held_of(prefix: str, entries: Iterable[Entry]) -> Iterator[Held]:
    """Yield all holds and assigned ports that can be read."""
    for entry in entries:
        try:
            key = parse_key(prefix, entry.key)
            if isinstance(key, HoldKey):
                it = hold.decode(entry.value)
                away = f", which has no instance now; until {it.until}" if it.until else ""
                text = f"{_THINGS[key.kind]} {key.thing} belongs to {it.holder} since {it.since}"
                yield Held(key.thing, it.holder, text + away)
            elif isinstance(key, PortKey):
                port = port_claim.decode(entry.value)
                yield Held(str(port), key.service, f"port {port} is assigned to {key.service}")
        except Rejected:
            continue  # docker-discover says what is wrong with it


def held_steps(held: Iterable[Held], what: str, services: Iterable[str]) -> Iterator[Step]:
    """Yield what is held of a thing, or by a service."""
    holders = {what, *services}
    for it in held:
        if it.holder in holders or what in (it.thing, it.thing.partition("/")[0]):
            yield Step("–", "", it.text, stage="listener")


def record_step(it: Published) -> Step:
    """Return the step of a record."""
    instance = it.instance
    where = host_port(instance.address, instance.port)
    name = f"{instance.container_name} {it.short}".strip()
    text = f"{name} stands in etcd as {instance.service} at {where}, {instance.state}"
    return Step("✓" if instance.state == "ready" else "✗", it.host, text, stage="key")


def lease_steps(publishing: Iterable[str], fleet: Fleet) -> Iterator[Step]:
    """Yield whether the registrars of hosts are there."""
    for host in sorted(publishing):
        if host in fleet.owners:
            text = "its registrar is there: the host's lease is alive"
            yield Step("✓", host, text, stage="lease")
        else:
            text = "its registrar is away: its instances are suspects until it is back"
            help_ = f"on {host}: docker start docker-register; docker logs docker-register"
            yield Step("✗", host, text, help=help_, stage="lease")
