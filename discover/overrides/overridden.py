"""Instances as overrides change them: another weight, or draining. No I/O, no clock."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from catalog.keys import EVERY_SERVICE, OverrideKey
from catalog.overrides.override import Override
from catalog.overrides.standing import Standing, Standings
from discover.snapshot.snapshot import Record, Service
from sidecar.memo import MemoByName

Services = Mapping[str, Service]


class _Given(NamedTuple):
    """A service, and the overrides of its instances, the one that wins last."""

    service: Service
    overrides: tuple[Override, ...]


class Overridden:
    """Services with their overrides; one that nothing changes is the same object as before."""

    def __init__(self) -> None:
        self._changed = MemoByName(_changed)

    def of(self, services: Services, standings: Standings) -> Services:
        """Return the services, with the instances that overrides change."""
        given = {
            name: _Given(services[name], tuple(overrides))
            for name, overrides in by_service(services, standings).items()
        }
        changed = self._changed.get(given)
        return {**services, **changed} if changed else services


def by_service(services: Services, standings: Standings) -> Mapping[str, list[Override]]:
    """Return by service the overrides of its instances, the one that wins last."""
    found: dict[str, list[Override]] = {}
    for key, standing in sorted(standings.items(), key=_rank):
        override = standing.override
        if override is None or override.to:
            continue
        for name in _services_of(key, override, services):
            found.setdefault(name, []).append(override)

    return found


def _rank(item: tuple[OverrideKey, Standing]) -> tuple[object, ...]:
    """Return what overrides are sorted by: one of an instance beats one of a host, then age."""
    key, standing = item
    is_precise = standing.override is not None and bool(standing.override.instance)
    return is_precise, standing.created, key


def _services_of(key: OverrideKey, override: Override, services: Services) -> Iterable[str]:
    if key.service != EVERY_SERVICE:
        return (key.service,) if key.service in services else ()

    return [
        name
        for name, service in services.items()
        if any(record.key.host == override.host for record in service.records.values())
    ]


def _changed(_name: str, given: _Given) -> Service:
    records = dict(given.service.records)
    for override in given.overrides:
        for key in keys_of(override, records):
            records[key] = _with(records[key], override)

    return given.service if records == given.service.records else Service.of(records)


def keys_of(override: Override, records: Mapping[str, Record]) -> Iterator[str]:
    """Yield the keys of the records that an override is about, among those of its service."""
    for key, record in records.items():
        if record.key.name == override.instance or record.key.host == override.host:
            yield key


def _with(record: Record, override: Override) -> Record:
    instance = record.instance
    if override.weight is not None:
        instance = replace(instance, weight=override.weight)
    if override.state:
        instance = replace(instance, state=override.state)
    return replace(record, instance=instance)
