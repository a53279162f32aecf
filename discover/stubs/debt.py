"""Which services are served by stubs, since when, and how many calls that were so far. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from discover.model.config import Listener, ProxyConfig, Server

Stubs = tuple[str, ...]  # servers as HAProxy knows them, `proxy/server`
_COLUMNS = ("pxname", "svname", "stot")


@dataclass(frozen=True, slots=True)
class Debt:
    """One service that only stubs answer. Its calls are `carried` and what HAProxy counts for `stubs` now."""

    since_s: float  # wall clock
    stubs: Stubs = ()
    carried: int = 0

    def calls(self, counted: Mapping[str, int]) -> int:
        """Return the calls so far; a HAProxy that was started anew counts from 0 again."""
        return max(0, self.carried + _sum(self.stubs, counted))


class Looked:
    """What was found in each listener: those that are the same objects are not looked at again."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Listener, Stubs]] = {}

    def stubbed(self, config: ProxyConfig) -> Mapping[str, Stubs]:
        """Return the services that are served by stubs, and by which."""
        before, self._found = self._found, {}
        services: dict[str, Stubs] = {}
        for listener in config.listeners:
            known = before.get(listener.name)
            found = (
                known if known and known[0] is listener else (listener, _serving_stubs(listener))
            )
            self._found[listener.name] = found
            if found[1]:
                services[listener.service] = (*services.get(listener.service, ()), *found[1])
        return services


def _serving_stubs(listener: Listener) -> Stubs:
    """Return the stubs of a listener, if nobody else is called there."""
    called = _called(listener.servers)
    stubs = tuple(f"{listener.name}/{server.name}" for server in called if server.stub)
    return stubs if len(stubs) == len(called) else ()


def _called(servers: Iterable[Server]) -> list[Server]:
    """Return those that new calls go to: spares only where there is nobody else."""
    ready = [server for server in servers if server.called]
    return [server for server in ready if not server.backup] or ready


@dataclass(frozen=True, slots=True)
class Debts:
    """All of them, by service."""

    by_service: Mapping[str, Debt] = field(default_factory=dict)

    @property
    def stubs(self) -> frozenset[str]:
        """All stubs that serve."""
        return frozenset(stub for debt in self.by_service.values() for stub in debt.stubs)

    def learn(self, stubbed: Mapping[str, Stubs], now_s: float) -> "Debts":
        """Return what holds now; a service that was stubbed before keeps its time, also with other stubs."""
        known = self.by_service
        return Debts(
            {
                service: replace(known.get(service, Debt(now_s)), stubs=stubs)
                for service, stubs in stubbed.items()
            }
        )

    def counted_from(
        self, before: "Debts", counted: Mapping[str, int], settled: Mapping[str, int]
    ) -> "Debts":
        """Return these debts such that what a stub answered in another time does not count.

        `counted` is what HAProxy counts now, `settled` what it had counted when a stub served last.
        """

        def moved(service: str, debt: Debt) -> Debt:
            old = before.by_service.get(service, Debt(0)).stubs
            gone, new = set(old) - set(debt.stubs), set(debt.stubs) - set(old)
            return replace(debt, carried=debt.carried + _sum(gone, counted) - _sum(new, settled))

        return Debts({service: moved(service, debt) for service, debt in self.by_service.items()})

    def carrying(self, counted: Mapping[str, int]) -> "Debts":
        """Return these debts with all calls so far carried on, for a worker that counts from 0."""
        return Debts(
            {
                service: replace(debt, carried=debt.carried + _sum(debt.stubs, counted))
                for service, debt in self.by_service.items()
            }
        )


def stubs_in(config: ProxyConfig) -> Stubs:
    """Return all stubs, whether they serve or not."""
    return tuple(
        f"{listener.name}/{server.name}"
        for listener in config.listeners
        for server in listener.servers
        if server.stub
    )


def _sum(stubs: Iterable[str], counted: Mapping[str, int]) -> int:
    return sum(counted.get(stub, 0) for stub in stubs)


def questions(stubs: Iterable[str]) -> tuple[str, ...]:
    """Return what to ask HAProxy for the calls of stubs: one question for each proxy, its servers only."""
    proxies = {stub.partition("/")[0] for stub in stubs}
    return tuple(f"show stat {proxy} 4 -1" for proxy in sorted(proxies))


def counts_of(answers: str) -> Mapping[str, int]:
    """Return the sessions of each server, as `proxy/server`, in answers to `show stat`.

    HAProxy's management manual, section 9.1: in http mode a session of a server is a request.
    """
    counts: dict[str, int] = {}
    at: list[int] = []
    for line in answers.splitlines():
        words = line.removeprefix("# ").split(",")
        if line.startswith("# "):
            at = [words.index(name) for name in _COLUMNS if name in words]
        elif len(at) == len(_COLUMNS) and len(words) > max(at) and words[at[2]].isdigit():
            counts[f"{words[at[0]]}/{words[at[1]]}"] = int(words[at[2]])
    return counts
