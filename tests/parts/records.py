"""Records and snapshots for tests, with everything that does not matter filled in."""

from dataclasses import replace
from typing import Any

from catalog.entries import Entry, Listing
from catalog.keys import identity, key_of
from catalog.records.record import Instance, encode
from discover.snapshot.snapshot import Snapshot, snapshot_of

PREFIX = "/services"


def container_id(number: int) -> str:
    return f"{number:012x}" + "0" * 52


def instance(number: int = 1, service: str = "whoami", **changes: Any) -> Instance:
    base = Instance(
        service=service,
        address="10.0.0.1",
        port=32000 + number,
        container=container_id(number),
        container_port=8000,
        service_port=8000,
        container_name=f"{service}-{number}",
    )
    return replace(base, **changes)


def web(number: int = 1, service: str = "shop", **changes: Any) -> Instance:
    """Return the record of an http instance."""
    return instance(number, service, mode="http", **changes)


def local(
    number: int, port: int, service_port: int, service: str = "whoami", **changes: Any
) -> Instance:
    """Return the record of an instance on loopback."""
    where = {"address": "127.0.0.1", "port": port, "service_port": service_port}
    return instance(number, service, **(where | changes))


def key(record: Instance, host: str = "h1") -> str:
    """Return the key of a host's record in etcd."""
    return key_of(PREFIX, identity(host, record))


def entry(record: Instance, created: int = 1, host: str = "h1") -> Entry:
    return Entry(key(record, host), encode(record), created, created, 7)


def snapshot(*records: Instance, host: str = "h1") -> Snapshot:
    """Return the snapshot in which the records were created in this order."""
    entries = tuple(entry(record, created=10 + i, host=host) for i, record in enumerate(records))
    return snapshot_of(PREFIX, Listing(1, 100, entries))
