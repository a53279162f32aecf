"""Claim ports in etcd: for services that name none, and again what the store lost. Else idle.

Every docker-discover does it for all services it sees, so that no host is needed for it. A write
happens only while no claim came after the list that its numbers were chosen by, so no number is
given twice; whichever host loses lists again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from itertools import islice

from catalog.access import Access
from catalog.errors import Conflict, Full, Refused
from catalog.keys import PortKey, key_of, ports_root
from catalog.records.port_claim import encode
from catalog.session import Session
from catalog.store import Put, Store, Unchanged
from discover.snapshot.holds import held_ports
from discover.snapshot.keeper import Keeper
from discover.snapshot.port_claims import (
    ClaimsByService,
    PortRange,
    Wanted,
    choose,
    named_ports,
)
from discover.snapshot.snapshot import Snapshot, snapshot_of
from discover.snapshot.state import State
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.retry import jitter, keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

CLAIMS_MAX = 100  # in a transaction, of which etcd takes 128 operations
# For each host: mostly one of them has claimed, and the others have seen it, before they begin.
APART_S = 0.005
AFTER_S = 0.05  # at most, before the next try after another host was quicker
# What cannot be claimed is tried again: by then a port may be free, or a right given.
AGAIN_S = 30.0
CAP_S = 5.0  # as the watch of the catalog, which is away together with this

Choice = Callable[[ClaimsByService], Mapping[str, int]]


def claim(
    store: Store, prefix: str, needed: Wanted, choice: Choice, *, stop: threading.Event
) -> Mapping[str, str]:
    """Claim what `choice` says in view of the claims there are. Raises Unavailable.

    Returns why some services still lack a claim; an empty reason: no number was chosen.
    """
    root = ports_root(prefix)
    while not stop.is_set():
        listing = store.list(root)
        stored = snapshot_of(prefix, listing)
        unread = {key.removeprefix(root): why for key, why in stored.refused.items()}
        chosen = {name: port for name, port in choice(stored.claims).items() if name not in unread}
        if not chosen:
            return _unclaimed(needed, stored.claims, unread)

        some = dict(islice(chosen.items(), CLAIMS_MAX))
        puts = [
            Put(key_of(prefix, PortKey(name)), encode(port), expected=0)
            for name, port in some.items()
        ]
        try:
            store.write(puts, lease=0, fence=Unchanged(root, listing.revision))
        except Conflict:
            stop.wait(jitter(AFTER_S))
        else:
            first = next(iter(some))
            log.info("claimed ports %s", Details(services=len(some), first=first, port=some[first]))

    return {}


def _unclaimed(
    needed: Wanted, claims: ClaimsByService, unread: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the services that lack a claim, and why; `unread` are claims that are no port."""
    without_number = dict.fromkeys(needed.portless - claims.keys(), "")
    unusable = {
        name: f"the claim is not a port: {unread[name]}" for name in needed.services & unread.keys()
    }
    return without_number | unusable


class ClaimProblems:
    """Why services lack a claimed port. One thread replaces `why`; any thread may read it."""

    def __init__(self, changed: Trigger) -> None:
        self.why: Mapping[str, str] = {}
        self._changed = changed

    def update(self, why: Mapping[str, str]) -> None:
        """Replace all reasons; new ones are logged, and a change wakes the thread that applies."""
        if why == self.why:
            return

        reasons = list(why.values())
        for reason in sorted(set(reasons) - set(self.why.values())):
            log.warning(
                "cannot claim all ports %s",
                Details(services=reasons.count(reason), why=reason),
            )
        self.why = why
        self._changed.fire("claims")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt that left services without a claim."""

    needed: Wanted
    claims: ClaimsByService  # that etcd had
    at_s: float


class PortClaimer:
    """The actor that claims what is `needed`, of what is believed and what is stored.

    It chooses no port that is `taken` on this host, and none that is not `usable` here.
    """

    def __init__(
        self,
        access: Access,
        prefix: str,
        within: PortRange,
        *,
        keeper: Keeper,
        needed: Callable[[Snapshot, Snapshot], Wanted],
        taken: Callable[[], Set[int]],
        usable: Callable[[int], bool],
        problems: ClaimProblems,
    ) -> None:
        self._etcd = Session(access)
        self._prefix = prefix
        self._within = within
        self._keeper = keeper
        self._needed = needed
        self._taken = taken
        self._usable = usable
        self._problems = problems
        self._awake = Trigger()
        self._failed: _Attempt | None = None
        keeper.follow(self._look)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("claims", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()
        self._awake.fire("stop")

    def run(self) -> None:
        """Claim whatever lacks a claim until interrupted."""
        keep_running(self._session, name="claiming ports", stop=self._etcd.ended, cap_s=CAP_S)

    def _look(self) -> None:
        state = self._keeper.listed
        if self._problems.why or (state is not None and self._wanted(state).services):
            self._awake.fire("catalog")

    def _wanted(self, state: State) -> Wanted:
        return self._needed(state.catalog, state.stored)

    def _session(self) -> None:
        while not self._etcd.ended.is_set():
            if self._due() is not None and not self._etcd.ended.wait(self._apart_s()):
                self._claim()
            self._awake.wait(self._pause_s())

    def _apart_s(self) -> float:
        return jitter(APART_S * len(self._keeper.state.stored.owners))

    def _pause_s(self) -> float | None:
        if self._failed is None:
            return None
        return max(0.0, self._failed.at_s + AGAIN_S - time.monotonic())

    def _due(self) -> Wanted | None:
        """Return what to claim now; None if there is nothing, or it was tried a short while ago."""
        state = self._keeper.listed
        needed = self._wanted(state) if state is not None else None
        if state is None or needed is None or not needed.services:
            self._failed = None
            self._problems.update({})
            return None

        failed = self._failed
        is_as_before = failed is not None and (
            failed.needed == needed
            and failed.claims == state.stored.claims
            and time.monotonic() < failed.at_s + AGAIN_S
        )
        return None if is_as_before else needed

    def _claim(self) -> None:
        """Claim what is still wanted, and say what is in the way of the rest."""
        needed = self._due()
        if needed is None:
            return

        state = self._keeper.state
        avoid = self._taken() | named_ports(state.view) | held_ports(state.view.holds).keys()

        def choice(claims: ClaimsByService) -> Mapping[str, int]:
            return choose(needed, claims, self._within, avoid=avoid, usable=self._usable)

        try:
            # A connection for a moment costs less than one that is held.
            with self._etcd.store() as store:
                why = claim(store, self._prefix, needed, choice, stop=self._etcd.ended)
        except (Refused, Full) as error:
            why = dict.fromkeys(needed.services, str(error))

        self._failed = _Attempt(needed, state.stored.claims, time.monotonic()) if why else None
        self._problems.update({name: text or self._nothing_free() for name, text in why.items()})

    def _nothing_free(self) -> str:
        return (
            f"PORT_RANGE {self._within} has no free port left; "
            "widen it, or delete claims of services that are gone"
        )
