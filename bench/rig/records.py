"""Put records straight into a pair's etcd, as a registrar of another host would."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from catalog.access import Access, parse_members
from catalog.entries import Delete, Put
from catalog.keys import identity, key_of
from catalog.records.record import Instance, encode
from catalog.store import CHANGES_MAX, Store

PREFIX = "/services"
HOST = "bench-records"
T = TypeVar("T")


def record(
    number: int,
    service: str,
    address: str,
    port: int,
    service_port: int,
    **changes: Any,
) -> Instance:
    """Return the record of an instance that nobody registered."""
    base = Instance(
        service=service,
        address=address,
        port=port,
        container=f"{number:012x}" + "b" * 52,
        container_port=80,
        service_port=service_port,
        container_name=f"{service}-{number}",
    )
    return replace(base, **changes)


class Records:
    """Writes records without a lease: they stay for good."""

    def __init__(self, address: str) -> None:
        access = Access(parse_members(f"{address}:2379"))
        self._store = Store(access, deadline_s=10.0)
        self._revisions: dict[str, int] = {}

    def put(self, *instances: Instance) -> None:
        puts = [self._put(instance) for instance in instances]
        for transaction in chunks(puts):
            revision = self._store.write(transaction, lease=0)
            for put in transaction:
                self._revisions[put.key] = revision

    def _put(self, instance: Instance) -> Put:
        key = record_key(instance)
        return Put(key, encode(instance), self._revisions.get(key, 0))

    def delete(self, *instances: Instance) -> None:
        keys = [record_key(instance) for instance in instances]
        deletes = [Delete(key, self._revisions.pop(key)) for key in keys]
        for transaction in chunks(deletes):
            self._store.write(transaction, lease=0)

    def revision(self) -> int:
        return self._store.list(PREFIX, values=False).revision

    def close(self) -> None:
        self._store.close()


def record_key(instance: Instance, host: str = HOST) -> str:
    """Return the key of a record."""
    return key_of(PREFIX, identity(host, instance))


def chunks(changes: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield as many changes at once as one transaction may have."""
    for begin in range(0, len(changes), CHANGES_MAX):
        yield changes[begin : begin + CHANGES_MAX]
