"""What stands in etcd of services: each record with its host. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.host_port import host_port
from catalog.keys import CONTAINER_SHORT, InstanceKey, parse_key
from catalog.records.record import Instance, decode


@dataclass(frozen=True, slots=True)
class Published:
    """An instance, and the host that published it."""

    host: str
    instance: Instance
    created: int = 0  # etcd's revision then: the oldest real one decides for the service

    @property
    def short(self) -> str:
        """The container, as people write it."""
        return self.instance.container[:CONTAINER_SHORT]

    @property
    def address(self) -> str:
        """Where HAProxy dials it."""
        return host_port(self.instance.address, self.instance.port)


def published_of(prefix: str, entries: Iterable[Entry]) -> tuple[Published, ...]:
    """Return all records that can be read."""
    return tuple(_published(prefix, entries))


def _published(prefix: str, entries: Iterable[Entry]) -> Iterator[Published]:
    for entry in entries:
        if "/instances/" not in entry.key:
            continue
        try:
            key = parse_key(prefix, entry.key)
            if isinstance(key, InstanceKey):
                yield Published(key.host, decode(entry.value), entry.create_revision)
        except Rejected:
            continue  # docker-discover refuses it, and says so when it is asked


def about(published: Sequence[Published], what: str) -> tuple[Published, ...]:
    """Return the records that a service, port, host name or container is about."""
    return tuple(each for each in published if what in _words_of(each))


def about_service(published: Sequence[Published], what: str) -> tuple[Published, ...]:
    """Return the records of a service by its name, port, service:port or a host name."""
    return tuple(
        each
        for each in published
        if what in (each.instance.service, *each.instance.hosts) or what in _ports_of(each)
    )


def _ports_of(each: Published) -> tuple[str, ...]:
    port = each.instance.service_port
    return (str(port), f"{each.instance.service}:{port}") if port else ()


def _words_of(each: Published) -> set[str]:
    it = each.instance
    port = str(it.service_port or "")
    words = {it.service, port, f"{it.service}:{port}", it.container_name, *it.hosts}
    return words | {it.container, each.short, each.address} - {""}


def names_of(published: Sequence[Published]) -> set[str]:
    """Return every name that people may call these by."""
    found: set[str] = set()
    for each in published:
        instance = each.instance
        found |= {instance.service, instance.container_name, *instance.hosts}
    return found - {""}
