"""Suspects: instances that are called although etcd no longer names them. No I/O, no clock.

Removal needs evidence. An instance that was deleted while its host's lease lived is gone at once.
One that merely lost its lease is a suspect: it is called on while HAProxy's own check of it
passes. It goes when the check fails, when another record claims its address, when its host is
back without it, or after a grace.

Where a mass of hosts lost their leases together, or the store itself was wiped or restored, the
store is the likelier culprit. One observer's checks are no proof then either: a short fault of
this host's own network would fail them all. Such suspects are frozen: HAProxy calls none whose
check fails, but only ten minutes of failing without a break take one away. Each leaves by
itself, and the freeze ends with the last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from discover.snapshot.belongs import Owner
from discover.snapshot.departures import Reason
from discover.snapshot.snapshot import Record, Service, Snapshot

GRACE_S = 600.0
HARD_STOP_S = 24 * 3600.0  # of a freeze
# docker-register's resync: a host that is back has by then listed all its containers, twice.
RETURN_S = 30.0
# A lease's default TTL: the record is there, but says nothing that can be read.
UNREADABLE_S = 15.0
# In a freeze: a registrar finds a wiped store in a third of its TTL, and puts all records again.
UNCHECKED_S = 60.0

CheckResult = Literal["passing", "failing", "unchecked"]
Endpoints = frozenset[tuple[str, int]]

UNCHECKED = "no health check covers it"  # why a suspect is dropped


@dataclass(frozen=True, slots=True)
class Suspect:
    """One instance that is called although etcd no longer names it."""

    record: Record
    reason: Reason
    since_s: float
    frozen: bool = False
    failing_s: float | None = None  # since when its check has failed without a break
    returned_s: float | None = None  # since when its host's lease lives again, and has instances

    @property
    def until_s(self) -> float:
        """When it goes even if its check passes."""
        if self.reason == "unreadable":
            return self.since_s + UNREADABLE_S

        ends_s = self.since_s + (HARD_STOP_S if self.frozen else GRACE_S)
        if self.record.instance.check.kind == "none":
            ends_s = min(ends_s, self.since_s + UNCHECKED_S)
        if self.returned_s is not None:
            ends_s = min(ends_s, self.returned_s + RETURN_S)
        return ends_s


Suspects = Mapping[str, Suspect]  # by the etcd key of the record


def with_host(
    suspect: Suspect, catalog: Snapshot, active: frozenset[str], now_s: float, *, frozen: bool
) -> Suspect:
    """Return a suspect with what a new catalog says of its host.

    `active` are the hosts that have put instances; `frozen` tells whether a mass of hosts is gone.
    """
    if suspect.reason == "unreadable":
        return suspect

    host = suspect.record.key.host
    returned_s = suspect.returned_s
    if host not in catalog.owners:
        returned_s = None
    elif returned_s is None and host in active:
        returned_s = now_s

    return replace(suspect, returned_s=returned_s, frozen=frozen or suspect.frozen)


def with_check(suspect: Suspect, result: CheckResult | None, now_s: float) -> Suspect:
    """Return a suspect with what HAProxy's check of it says; None: nothing."""
    if result == "failing" and suspect.failing_s is None:
        return replace(suspect, failing_s=now_s)
    if result == "passing":
        return replace(suspect, failing_s=None)
    return suspect


def contradiction(key: str, suspect: Suspect, catalog: Snapshot, taken: Endpoints) -> str | None:
    """Return why the catalog makes a suspect none any more, whatever its check says.

    `taken` are the endpoints of all records in the catalog.
    """
    return (
        _by_host(suspect, catalog)
        or _by_own_key(key, suspect, catalog)
        or _by_other_records(suspect.record, catalog, taken)
    )


def _by_host(suspect: Suspect, catalog: Snapshot) -> str | None:
    host = suspect.record.key.host
    if host in catalog.purged:
        return "its host is purged"
    if suspect.reason == "expired" and host in catalog.drained:
        return "its host is drained"
    return None


def _by_own_key(key: str, suspect: Suspect, catalog: Snapshot) -> str | None:
    if catalog.record(suspect.record.key, key) is not None:
        return "it is back"
    if suspect.reason == "unreadable":
        return None if key in catalog.refused else "its key is deleted"
    if suspect.record.instance.on_absence == "drop":
        return "its ON_ABSENCE is drop"
    return None


def _by_other_records(record: Record, catalog: Snapshot, taken: Endpoints) -> str | None:
    if record.endpoint in taken:
        return "another record has its address"

    service = catalog.services.get(record.key.service)
    if service is not None and record.key.name in service.names:
        return "another host announces it"
    return None


def expiry(suspect: Suspect, now_s: float) -> str | None:
    """Return why a suspect goes now, by its check and by time; None while it stays."""
    if suspect.failing_s is not None:
        patient = suspect.frozen and suspect.returned_s is None
        if now_s >= suspect.failing_s + (GRACE_S if patient else 0.0):
            return "its check fails"

    has_check = suspect.record.instance.check.kind != "none"
    if not has_check and suspect.reason != "unreadable" and not suspect.frozen:
        return UNCHECKED

    if now_s < suspect.until_s:
        return None
    if suspect.returned_s is not None and now_s >= suspect.returned_s + RETURN_S:
        return "its host is back without it"
    return "it was not renewed in time"


def may_go_unchecked(suspect: Suspect, now_s: float) -> bool:
    """Whether a suspect that HAProxy does not check goes: at once; in a freeze, after a while."""
    return not suspect.frozen or now_s >= suspect.since_s + UNCHECKED_S


@dataclass(frozen=True, slots=True)
class Merged:
    """A service with suspects, and what it was made of."""

    base: Service | None
    suspects: tuple[str, ...]  # their keys
    purged: frozenset[str]
    service: Service


MergedServices = Mapping[str, Merged]


def with_suspects(
    catalog: Snapshot, suspects: Suspects, before: MergedServices
) -> tuple[Snapshot, MergedServices]:
    """Return the catalog with its suspects and without purged hosts, and the services this changes.

    With `before`, the services that were changed last time, a service stays the same object for
    as long as it says the same.
    """
    keys_by_service: dict[str, list[str]] = {}
    for key, suspect in suspects.items():
        keys_by_service.setdefault(suspect.record.key.service, []).append(key)

    touched = keys_by_service.keys() | set(_services_of(catalog.purged, catalog))
    if not touched:
        return catalog, {}

    merged = {}
    for name in touched:
        base = catalog.services.get(name)
        keys = tuple(keys_by_service.get(name, ()))
        known = before.get(name)
        if known is None or known.base is not base or not _is_made_of(known, keys, catalog.purged):
            known = _merged(base, keys, suspects, catalog.purged)
        merged[name] = known

    services = {name: it for name, it in catalog.services.items() if name not in merged}
    services |= {name: it.service for name, it in merged.items() if it.service.records}
    # Also the suspects' hosts: how often servers are checked depends on how many hosts there are.
    hosts = {suspect.record.key.host: Owner(0) for suspect in suspects.values()}
    owners = {**hosts, **catalog.owners}
    return replace(catalog, services=services, owners=owners), merged


def _services_of(hosts: frozenset[str], catalog: Snapshot) -> Iterable[str]:
    """Yield the services that have records of these hosts."""
    if not hosts:
        return

    for name, service in catalog.services.items():
        if any(record.key.host in hosts for record in service.records.values()):
            yield name


def _is_made_of(merged: Merged, keys: tuple[str, ...], purged: frozenset[str]) -> bool:
    return merged.suspects == keys and merged.purged == purged


def _merged(
    base: Service | None, keys: tuple[str, ...], suspects: Suspects, purged: frozenset[str]
) -> Merged:
    records: dict[str, Record] = {}
    if base is not None:
        records = {key: it for key, it in base.records.items() if it.key.host not in purged}

    for key in keys:
        records[key] = suspects[key].record
    return Merged(base, keys, purged, Service.of(records))
