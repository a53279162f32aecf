"""The overrides of this host: what they make of each snapshot, and how long that holds."""

import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from catalog.keys import EVERY_SERVICE
from catalog.overrides.override import Override, moment_of, sentence
from discover.overrides.counting import Counting, Moment, counting, where
from discover.overrides.overridden import Overridden, by_service, keys_of
from discover.reasons import because
from discover.snapshot.snapshot import Snapshot
from sidecar.status.problems import Problem

Here = Callable[[Snapshot], Set[str]]


class Overrides:
    """Lays overrides over snapshots. For the thread that applies; `explained` for any.

    `here` gives the ids of this host, `silent_s` since how long etcd says nothing.
    """

    def __init__(
        self,
        here: Here = lambda _snapshot: frozenset(),
        silent_s: Callable[[], float] = lambda: 0.0,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._here = here
        self._silent_s = silent_s
        self._clock_s = clock_s
        self._overridden = Overridden()
        self._last = Snapshot(0, {}, {})
        self._counting = Counting()

    def of(self, snapshot: Snapshot) -> tuple[Snapshot, Mapping[str, Problem]]:
        """Return a snapshot as its overrides change it, and what is wrong with any.

        Of overrides it has those that count here, now.
        """
        self._last = snapshot
        found = self._counting = self._now()
        if not snapshot.overrides:
            return snapshot, {}

        unused = {
            where(key): because("OVERRIDE_UNUSED", text)
            for key, standing in found.standing.items()
            if standing.override and (text := _unused(key.service, standing.override, snapshot))
        }
        services = self._overridden.of(snapshot.services, found.standing)
        problems = {**found.problems, **unused}
        return replace(snapshot, services=services, overrides=found.standing), problems

    def changes_in_s(self) -> float:
        """Return in how many seconds other overrides count than do now; 0 if they do already."""
        if not self._last.overrides:
            return math.inf

        now = self._now()
        return now.changes_in_s if now.standing == self._counting.standing else 0.0

    def _now(self) -> Counting:
        snapshot = self._last
        if not snapshot.overrides:
            return Counting()
        moment = Moment(self._clock_s(), self._silent_s())
        return counting(snapshot.overrides, self._here(snapshot), moment)

    def told(self) -> Mapping[str, Mapping[str, str]]:
        """Return what is to be said of instances that overrides change, by service and name."""
        found: dict[str, dict[str, str]] = {}
        services = self._last.services
        for service, overrides in by_service(services, self._counting.standing).items():
            records = services[service].records
            for override in overrides:
                for key in keys_of(override, records):
                    found.setdefault(service, {})[records[key].key.name] = sentence(override)
        return found

    def explained(self) -> Sequence[Mapping[str, Any]]:
        """Return the overrides that count here, for /explain."""
        return [
            {"service": key.service, "id": key.id, **_explained(standing.override)}
            for key, standing in sorted(self._counting.standing.items())
            if standing.override
        ]


def _unused(service: str, override: Override, snapshot: Snapshot) -> str:
    """Return what an override lacks to have an effect; empty if it has one, or need not."""
    if service == EVERY_SERVICE or override.to:
        return ""

    known = snapshot.services.get(service)
    if known is not None and any(keys_of(override, known.records)):
        return ""
    what = override.instance or f"host {override.host}"
    return f"override of {override.by} waits: {service} has no instance of {what}"


def _explained(override: Override) -> Mapping[str, Any]:
    shown = {
        "instance": override.instance,
        "host": override.host,
        "weight": override.weight,
        "state": override.state,
        "to": override.to,
        "header": override.header,
        "path": override.path,
        "only": list(override.only),
        "by": override.by,
        "why": override.why,
        "until": moment_of(override.until_s) if override.until_s else "",
    }
    return {name: value for name, value in shown.items() if value not in ("", None, [])}
