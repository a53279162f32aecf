"""Keep which services only stubs serve, over reloads and restarts, and their calls.

HAProxy is asked only if somebody asks here.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from catalog.errors import Unavailable
from discover.haproxy.batches import batches
from discover.model.proxy_config import ProxyConfig
from discover.stubs.debt import (
    Debt,
    Debts,
    SeatsByListener,
    StubbedServices,
    counts_of,
    questions,
)
from sidecar.atomic_files import StateFile
from sidecar.log import Details
from sidecar.status.metrics import Metrics

log = logging.getLogger(__name__)

NAMED_MAX = 10  # services in one line of the log


class StubDebt:
    """`debts` is replaced by the thread that changes HAProxy; any thread may read it."""

    def __init__(self, ask: Callable[[str], str], path: Path, metrics: Metrics) -> None:
        self._file = StateFile(
            path,
            _text,
            _debts_of,
            unknown="lost how long services have been stubbed: %s: %s",
            unkept="cannot save how long services have been stubbed",
        )
        self.debts = self._file.load() or Debts()
        self._ask = ask
        self._stubbed = StubbedServices()
        # What HAProxy had counted for each stub, and its instance, when it served last.
        self._settled: dict[tuple[str, str], int] = {}
        self._serving: dict[str, str] = {}  # the instance of each stub that serves alone
        self._counts_from_0 = False  # whether a reload just made another worker
        self._measure(metrics)

    def update(self, config: ProxyConfig, seats: SeatsByListener) -> None:
        """Take what runs now."""
        before = self.debts
        now = before.learn(self._stubbed.among(config, seats), time.time())
        if now == before:
            self._counts_from_0 = False
            return

        counted = self._counted(before.stubs - now.stubs)
        settled = self._settled_for(now.stubs - before.stubs, seats)
        self._counts_from_0 = False
        self._keep(now.counted_from(before, counted, settled))

        self._settled.update(
            {(stub, self._serving.get(stub, "")): counted[stub] for stub in counted}
        )
        self._serving = {stub: _instance_in(stub, seats) for stub in now.stubs}
        _say_changes(before, now, config)

    def _settled_for(self, begun: Set[str], seats: SeatsByListener) -> Mapping[str, int]:
        """Return what HAProxy had counted before these stubs began to serve alone."""
        known = {stub: self._settled.get((stub, _instance_in(stub, seats))) for stub in begun}
        # A new worker counts from 0. Else another instance may have had the slot.
        unknown = {stub for stub, count in known.items() if count is None}
        asked = {} if self._counts_from_0 else self._counted(unknown)
        return {
            stub: asked.get(stub, 0) if count is None else count for stub, count in known.items()
        }

    def counted(self) -> Mapping[str, int]:
        """Return what HAProxy counts now, to be carried on when it begins anew."""
        return self._counted(self.debts.stubs)

    def carry(self, counted: Mapping[str, int]) -> None:
        """Carry on what a worker had counted that a reload made old; the new one counts from 0."""
        self._counts_from_0 = True
        self._settled = {}
        if any(counted.values()):
            self._keep(self.debts.carrying(counted))

    def explained(self) -> Mapping[str, Any]:
        """Return the debts for /explain: since when, by how many instances, how many calls."""
        calls = self._calls()
        return {
            name: {
                "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(debt.since_s)),
                "instances": len(debt.stubs),
                "calls": calls[name],
            }
            for name, debt in self.debts.by_service.items()
            if name in calls
        }

    def _measure(self, metrics: Metrics) -> None:
        services = metrics.gauge("discover_stubbed_services", "Services that only stubs answer now")
        services.set_function(lambda: len(self.debts.by_service))

        calls = metrics.gauge(
            "discover_stubbed_calls",
            "Calls that stubs have answered for the services that only they answer now",
        )
        calls.set_function(lambda: sum(self._calls().values()))

    def _calls(self) -> Mapping[str, int]:
        debts = self.debts
        counted = self._counted(debts.stubs)
        return {name: debt.calls(counted) for name, debt in debts.by_service.items()}

    def _counted(self, stubs: Set[str]) -> Mapping[str, int]:
        """Return what HAProxy counts for these stubs; nothing if it does not answer."""
        try:
            answers = "".join(self._ask(line) for line in batches(questions(stubs)))
        except Unavailable:
            return {}  # the services that are stubbed are worth saying all the same

        return {stub: count for stub, count in counts_of(answers).items() if stub in stubs}

    def _keep(self, debts: Debts) -> None:
        self.debts = debts
        self._file.save(debts)


def _instance_in(stub: str, seats: SeatsByListener) -> str:
    proxy, _, slot = stub.partition("/")
    return seats[proxy].instance_in(slot) if proxy in seats else slot


def _say_changes(before: Debts, now: Debts, config: ProxyConfig) -> None:
    """Log which services stubs began or ceased to serve alone."""
    served = {listener.service for listener in config.listeners if listener.servers}
    began = now.by_service.keys() - before.by_service.keys()
    ended = before.by_service.keys() - now.by_service.keys()

    _say("only stubs serve from now on", began)
    _say("real instances take over from stubs", ended & served)
    _say("neither stubs nor real instances serve any more", ended - served)


def _say(what: str, services: Set[str]) -> None:
    if not services:
        return

    names = ",".join(sorted(services)[:NAMED_MAX])
    more = f",… ({len(services)})" if len(services) > NAMED_MAX else ""
    log.info("%s %s", what, Details(services=names + more))


def _text(debts: Debts) -> str:
    kept = {
        name: {"since": debt.since_s, "stubs": debt.stubs, "carried": debt.carried}
        for name, debt in debts.by_service.items()
    }
    return json.dumps(kept, sort_keys=True)


def _debts_of(content: bytes) -> Debts:
    kept = json.loads(content)
    return Debts({str(name): _debt(fields) for name, fields in kept.items()})


def _debt(fields: Mapping[str, Any]) -> Debt:
    return Debt(
        since_s=float(fields["since"]),
        stubs=tuple(map(str, fields["stubs"])),
        carried=int(fields["carried"]),
    )
