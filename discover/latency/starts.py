"""Which instances are new in HAProxy, and how long that took from their container's start. No I/O.

Only what starts while both sides look is measured. What was there before this docker-discover, or
before its host's docker-register, says when somebody started those, and nothing of how fast they
are.
"""

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

from discover.model.proxy_config import ProxyConfig
from discover.snapshot.belongs import Owner
from discover.snapshot.snapshot import Record, Service, Snapshot

LEFT_MAX = 1000  # instances that went, of which one may be put back without a start


class Took(NamedTuple):
    """How long an instance of a host took."""

    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Registrar:
    """One life of a host's docker-register, and since when it is known here."""

    written: int
    since_s: float


class Starts:
    """Follows what is applied, round by round. For the thread that applies."""

    def __init__(self) -> None:
        self._services: Mapping[str, Service] | None = None  # None: nothing is known yet
        self._registrars: dict[str, _Registrar] = {}
        self._waiting: dict[str, Record] = {}  # new, and not in HAProxy yet
        self._left: dict[str, int | None] = {}  # when those that went were started

    def look(
        self, snapshot: Snapshot, config: ProxyConfig | None, now_s: float
    ) -> tuple[Took, ...]:
        """Return what is new in what HAProxy runs of a snapshot, at this time since 1970."""
        before, self._services = self._services, snapshot.services
        self._know_registrars(snapshot.owners, -math.inf if before is None else now_s)
        if before is None or before is snapshot.services:
            return self._arrived(config, now_s)

        new = 0
        for name, service in snapshot.services.items():
            known = before.get(name)
            if known is service:
                continue
            self._compare(known.records if known else {}, service.records)
            if known:
                self._forget(known, service.records)
            else:
                new += 1

        # Most changes take no service away, and there may be thousands to look through.
        if len(snapshot.services) - new < len(before):
            for name in before.keys() - snapshot.services.keys():
                self._forget(before[name], {})
        return self._arrived(config, now_s)

    def _know_registrars(self, owners: Mapping[str, Owner], since_s: float) -> None:
        known = self._registrars
        self._registrars = {
            host: known[host]
            if host in known and known[host].written == owner.modified
            else _Registrar(owner.modified, since_s)
            for host, owner in owners.items()
        }

    def _forget(self, service: Service, still: Mapping[str, Record]) -> None:
        """Remember when those that went were started: they may be put back."""
        for key, record in service.records.items():
            if key not in still:
                self._waiting.pop(key, None)
                self._left.pop(key, None)
                self._left[key] = record.instance.started_ms

        while len(self._left) > LEFT_MAX:
            del self._left[next(iter(self._left))]

    def _compare(self, before: Mapping[str, Record], after: Mapping[str, Record]) -> None:
        for key, record in after.items():
            if self._is_new(key, record, before.get(key)):
                self._waiting[key] = record

    def _is_new(self, key: str, record: Record, known: Record | None) -> bool:
        """Whether its container was started since this key was last seen."""
        started_ms = record.instance.started_ms
        if started_ms is None or record.instance.state != "ready":
            return False

        if known is not None:
            # An older docker-register did not say it: to say it is no start.
            earlier_ms = known.instance.started_ms
            is_started = earlier_ms is not None and earlier_ms != started_ms
        else:
            is_started = self._left.get(key, started_ms + 1) != started_ms

        registrar = self._registrars.get(record.key.host)
        return is_started and registrar is not None and started_ms / 1000 > registrar.since_s

    def _arrived(self, config: ProxyConfig | None, now_s: float) -> tuple[Took, ...]:
        if not self._waiting or config is None:
            return ()
        return tuple(self._take_those_in(config, now_s))

    def _take_those_in(self, config: ProxyConfig, now_s: float) -> Iterator[Took]:
        services = {record.key.service for record in self._waiting.values()}
        servers: Set[tuple[str, str]] = {
            (listener.service, server.name)
            for listener in config.listeners
            if listener.service in services
            for server in listener.servers
        }
        for key, record in list(self._waiting.items()):
            if (record.key.service, record.key.name) in servers:
                del self._waiting[key]
                yield Took(record.key.host, now_s - (record.instance.started_ms or 0) / 1000)
