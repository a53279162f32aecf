"""Which services only stubs serve, since when, and how many calls the stubs answered.

No I/O, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from discover.haproxy.replies import rows_of
from discover.model.proxy_config import Listener, ProxyConfig, Server
from discover.text.slots import Seats, seated
from sidecar.memo import MemoByName

Stubs = tuple[str, ...]  # servers as HAProxy knows them, `proxy/server`
Counts = Mapping[str, int]  # calls by stub
SeatsByListener = Mapping[str, Seats]
_COLUMNS = ("pxname", "svname", "stot")


@dataclass(frozen=True, slots=True)
class Debt:
    """One service that only stubs answer.

    Its calls are `carried` and what HAProxy counts for `stubs` now.
    """

    since_s: float  # wall clock
    stubs: Stubs = ()
    carried: int = 0

    def calls(self, counted: Counts) -> int:
        """Return the calls so far; a HAProxy that was started anew counts from 0 again."""
        return max(0, self.carried + _sum(self.stubs, counted))


class StubbedServices:
    """The services that only stubs serve. A listener that stays is not looked at again."""

    def __init__(self) -> None:
        self._stubs = MemoByName(_serving_stubs)

    def among(self, config: ProxyConfig, seats: SeatsByListener) -> Mapping[str, Stubs]:
        """Return the services of a configuration that only stubs serve, with those stubs."""
        listeners = {each.name: (each, seats.get(each.name)) for each in config.listeners}
        stubs = self._stubs.get(listeners)
        services: dict[str, Stubs] = {}

        for name, (listener, _) in listeners.items():
            if stubs[name]:
                others = services.get(listener.service, ())
                services[listener.service] = (*others, *stubs[name])

        return services


def _serving_stubs(name: str, given: tuple[Listener, Seats | None]) -> Stubs:
    """Return the stubs of a listener if new calls go to no other server."""
    called = _called(seated(*given).servers)
    stubs = tuple(f"{name}/{server.name}" for server in called if server.stub)
    return stubs if len(stubs) == len(called) else ()


def _called(servers: Iterable[Server]) -> list[Server]:
    """Return the servers that new calls go to: backup servers only if there is no other."""
    ready = [server for server in servers if server.called]
    return [server for server in ready if not server.backup] or ready


@dataclass(frozen=True, slots=True)
class Debts:
    """All debts, by service."""

    by_service: Mapping[str, Debt] = field(default_factory=dict)

    @property
    def stubs(self) -> frozenset[str]:
        """All stubs that serve."""
        return frozenset(stub for debt in self.by_service.values() for stub in debt.stubs)

    def learn(self, stubbed: Mapping[str, Stubs], now_s: float) -> "Debts":
        """Return the debts of now; a service that had one keeps its time, also with other stubs."""
        new = Debt(now_s)
        debts = {
            service: replace(self.by_service.get(service, new), stubs=stubs)
            for service, stubs in stubbed.items()
        }
        return Debts(debts)

    def counted_from(self, before: "Debts", counted: Counts, settled: Counts) -> "Debts":
        """Return these debts without the calls that a stub answered while it was not serving alone.

        `counted` is what HAProxy counts now, `settled` what it had counted when a stub served last.
        """
        no_debt = Debt(0)
        debts: dict[str, Debt] = {}

        for service, debt in self.by_service.items():
            old = set(before.by_service.get(service, no_debt).stubs)
            now = set(debt.stubs)
            carried = debt.carried + _sum(old - now, counted) - _sum(now - old, settled)
            debts[service] = replace(debt, carried=carried)

        return Debts(debts)

    def carrying(self, counted: Counts) -> "Debts":
        """Return these debts with all calls so far carried on, for a worker that counts from 0."""
        debts = {
            service: replace(debt, carried=debt.carried + _sum(debt.stubs, counted))
            for service, debt in self.by_service.items()
        }
        return Debts(debts)


def _sum(stubs: Iterable[str], counted: Counts) -> int:
    return sum(counted.get(stub, 0) for stub in stubs)


def questions(stubs: Iterable[str]) -> tuple[str, ...]:
    """Return the questions for the calls of stubs: one for each proxy, about its servers only."""
    proxies = {stub.partition("/")[0] for stub in stubs}
    return tuple(f"show stat {proxy} 4 -1" for proxy in sorted(proxies))


def counts_of(answers: str) -> Counts:
    """Return the sessions of each server, as `proxy/server`, in answers to `show stat`.

    HAProxy's management manual, section 9.1: in http mode a session of a server is a request.
    """
    rows = rows_of(answers, *_COLUMNS, separator=",")
    return {
        f"{proxy}/{server}": int(sessions) for proxy, server, sessions in rows if sessions.isdigit()
    }
