"""Claim ports in etcd: for services that name none, and again what the store lost. Nothing while all have theirs.

Every docker-discover does it for all it sees, so that no host is needed for it. A write happens only while no claim
came after the list that its numbers were chosen by, so no number is given twice; whoever loses lists again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Set
from itertools import islice

from catalog.access import Access
from catalog.errors import Conflict, Full, Refused
from catalog.keys import PortKey, key_of, ports_root
from catalog.port_claim import encode
from catalog.session import Session
from catalog.store import Put, Store, Unchanged
from discover.snapshot.keeper import Keeper
from discover.snapshot.port_claims import (
    ClaimsByService,
    PortRange,
    Wanted,
    choose,
    named_ports,
    wanted,
)
from discover.snapshot.snapshot import snapshot_of
from discover.snapshot.state import State
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.retry import jitter, keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

CLAIMS_MAX = 100  # in a transaction, of which etcd takes 128 operations
APART_S = (
    0.005  # a host: mostly one of them has claimed, and the others have seen it, before they begin
)
AFTER_S = 0.05  # at most, before it is tried again after another was quicker
AGAIN_S = (
    30.0  # what cannot be claimed is tried again: a port may be free by then, or a right given
)
CAP_S = 5.0  # as the watch of the catalog, which is away together with this

Choice = Callable[[ClaimsByService], Mapping[str, int]]


def claim(
    store: Store, prefix: str, it: Wanted, choice: Choice, *, stop: threading.Event
) -> Mapping[str, str]:
    """Claim what `choice` says in view of the claims there are; return why some services still lack theirs.

    An empty reason: no number was chosen. Raises Unavailable.
    """
    root = ports_root(prefix)
    while not stop.is_set():
        listing = store.list(root)
        there = snapshot_of(prefix, listing)
        unread = {key.removeprefix(root): why for key, why in there.refused.items()}
        chosen = {name: port for name, port in choice(there.claims).items() if name not in unread}
        if not chosen:
            nothing = dict.fromkeys(it.portless - there.claims.keys(), "")
            return nothing | {
                name: f"what is claimed is no port: {unread[name]}"
                for name in it.services & unread.keys()
            }
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


class Claims:
    """The actor that claims. `why` tells what is in the way of which service; it is replaced, never changed."""

    def __init__(
        self,
        access: Access,
        prefix: str,
        within: PortRange,
        *,
        keeper: Keeper,
        outside: Callable[[], Set[str]],
        taken: Callable[[], Set[int]],
        usable: Callable[[int], bool],
        changed: Trigger,
    ) -> None:
        self.why: Mapping[str, str] = {}
        self._etcd, self._prefix, self._within = Session(access), prefix, within
        self._keeper, self._taken, self._usable = keeper, taken, usable
        self._outside = outside  # services that are not in etcd and name no port
        self._changed = changed
        self._awake = Trigger()
        self._tried: tuple[Wanted, ClaimsByService, float] | None = (
            None  # what was left over, in view of what, and when
        )
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
        if self.why or (state is not None and self._wanted(state).services):
            self._awake.fire("catalog")

    def _wanted(self, state: State) -> Wanted:
        return wanted(state.catalog, state.stored, self._outside())

    def _session(self) -> None:
        while not self._etcd.ended.is_set():
            if self._due() and not self._etcd.ended.wait(
                jitter(APART_S * len(self._keeper.state.stored.owners))
            ):
                self._claim()
            self._awake.wait(self._pause_s())

    def _pause_s(self) -> float | None:
        return (
            None if self._tried is None else max(0.0, self._tried[2] + AGAIN_S - time.monotonic())
        )

    def _due(self) -> Wanted | None:
        """Return what to claim now; nothing if just the same was tried a short while ago."""
        state = self._keeper.listed
        if state is None or not (it := self._wanted(state)).services:
            self._tried = None
            self._say({})
            return None
        tried = self._tried
        again = (
            tried is None
            or tried[:2] != (it, state.stored.claims)
            or time.monotonic() >= tried[2] + AGAIN_S
        )
        return it if again else None

    def _claim(self) -> None:
        """Claim what is still wanted, and say what is in the way of the rest."""
        if (it := self._due()) is None:
            return
        state = self._keeper.state
        avoid = self._taken() | named_ports([state.view])

        def choice(claims: ClaimsByService) -> Mapping[str, int]:
            return choose(it, claims, self._within, avoid=avoid, usable=self._usable)

        try:
            # A connection for a moment costs less than one that is held.
            with self._etcd.store() as store:
                why = claim(store, self._prefix, it, choice, stop=self._etcd.ended)
        except (Refused, Full) as error:
            why = dict.fromkeys(it.services, str(error))
        self._tried = (it, state.stored.claims, time.monotonic()) if why else None
        self._say({name: text or self._nothing_free() for name, text in why.items()})

    def _nothing_free(self) -> str:
        return f"PORT_RANGE {self._within} has no free port left; widen it, or delete claims of services that are gone"

    def _say(self, why: Mapping[str, str]) -> None:
        if why == self.why:
            return
        for text in sorted(set(why.values()) - set(self.why.values())):
            log.warning(
                "not all ports can be claimed %s",
                Details(services=list(why.values()).count(text), why=text),
            )
        self.why = why
        self._changed.fire("claims")
