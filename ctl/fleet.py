"""Who is there to be asked: each host's sidecars, as etcd has them. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catalog.asking import presence, refusals
from catalog.asking.ask import Ask
from catalog.asking.presence import Presence
from catalog.asking.refusals import Refusals
from catalog.asking.said_keys import Side, said_root
from catalog.entries import Entry
from catalog.errors import Rejected
from catalog.keys import HOST_ID, OwnerKey, ProxyKey, parse_key

Sidecar = tuple[str, Side]  # by its host
BOTH: tuple[Side, ...] = ("discover", "register")


@dataclass(frozen=True, slots=True)
class Fleet:
    """Each host's docker-discover, its registrar, and what its docker-register does not publish.

    A host is in `refusals` if its docker-register is new enough to answer.
    """

    proxies: Mapping[str, Presence] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    refusals: Mapping[str, Refusals] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def able(self, asked: Ask, sides: Iterable[Side] = BOTH) -> frozenset[Sidecar]:
        """Return the sidecars that know this kind of question and are asked."""
        return frozenset(
            (host, side)
            for host, side, kinds in self._sidecars(sides)
            if asked.is_for(host) and asked.kind in kinds
        )

    def unable(self, asked: Ask, sides: Iterable[Side] = BOTH) -> frozenset[Sidecar]:
        """Return the sidecars that are there and do not know this kind: older ones.

        That only the other side answers such a question is no lack.
        """
        there = frozenset(self._sidecars(sides))
        answering = {side for _host, side, kinds in there if asked.kind in kinds} or {"discover"}
        old = {(host, "register") for host in self.owners - self.refusals.keys()}
        silent = {
            (host, side)
            for host, side, kinds in there
            if side in answering and asked.kind not in kinds
        }
        return frozenset(
            (host, side)
            for host, side in silent | _of(old, answering)
            if asked.is_for(host) and side in tuple(sides)
        )

    def _sidecars(self, sides: Iterable[Side]) -> Iterable[tuple[str, Side, tuple[str, ...]]]:
        wanted = tuple(sides)
        if "discover" in wanted:
            for host, it in self.proxies.items():
                yield host, "discover", it.kinds
        if "register" in wanted:
            for host, said in self.refusals.items():
                if host in self.owners:
                    yield host, "register", said.kinds


def _of(old: Iterable[tuple[str, str]], answering: Iterable[str]) -> set[Sidecar]:
    return {(host, "register") for host, side in old if side in tuple(answering)}


def fleet_of(prefix: str, hosts: Iterable[Entry], said: Iterable[Entry]) -> Fleet:
    """Return who is there, from the entries below hosts/ and said/."""
    proxies: dict[str, Presence] = {}
    owners: set[str] = set()
    unreadable: dict[str, str] = {}
    for entry in hosts:
        if not entry.key.endswith(("/proxy", "/owner")):
            continue
        try:
            match parse_key(prefix, entry.key):
                case ProxyKey(host):
                    proxies[host] = presence.decode(entry.value)
                case OwnerKey(host):
                    owners.add(host)
        except Rejected as error:
            unreadable[entry.key] = str(error)

    refused: dict[str, Refusals] = {}
    for entry in said:
        host, _, rest = entry.key.removeprefix(said_root(prefix)).partition("/")
        if rest != "refused" or not HOST_ID.fullmatch(host):
            continue
        try:
            refused[host] = refusals.decode(entry.value)
        except Rejected as error:
            unreadable[entry.key] = str(error)

    return Fleet(proxies, frozenset(owners), refused, unreadable)
