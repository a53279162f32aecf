"""Write the holds in etcd: at the first use, when a holder left, and when it is back. Else idle.

Every docker-discover does it for all services that it sees, so that no host is needed for it. Each
write is a compare-and-swap on what the watch showed; whichever host loses looks again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from catalog.access import Access
from catalog.errors import Conflict, Full, Refused
from catalog.keys import HoldKey, InstanceKey, key_of
from catalog.records.hold import Hold, encode
from catalog.session import Session
from catalog.store import Put, Store
from discover.claims.due import Due, Known, due, unreadable
from discover.claims.uses import Uses, domain_of, moment
from discover.model.proxy_config import ProxyConfig
from discover.snapshot.belongs import Held, Holds
from discover.snapshot.keeper import Keeper
from discover.snapshot.state import State
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.retry import jitter, keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

PUTS_MAX = 100  # in a transaction, of which etcd takes 128 operations
# A new service answers before its port is held: until then the oldest record has it on each host
# alike. So HAProxy is given the service first, and the processor for it.
LATER_S = 0.05
# For each host: mostly one of them has written, and the others have seen it, before they begin.
APART_S = 0.005
# A container that is started again within this time costs no write.
GONE_S = 10.0
GONE_APART_S = 2.0  # at most, between hosts that saw the same holder leave
AFTER_S = 0.5  # at most, before the next try after another host was quicker
AGAIN_S = 30.0  # before the next try after a refusal: a right may be given, or space made
TOLD_S = 2.0  # after a refusal: by then another host has written it, or none can
NO_HAPROXY_S = 0.1  # at the start, until it is known which service has which port here
# A holder that this host does not see, but another does: the wait doubles so often.
DOUBLED_MAX = 8
CAP_S = 5.0  # as the watch of the catalog, which is away together with this


class HoldProblem:
    """Why holds cannot be written; empty if they can. One thread replaces it, any may read it."""

    def __init__(self, changed: Trigger) -> None:
        self.why = ""
        self._changed = changed

    def update(self, why: str) -> None:
        """Replace the reason; a change wakes the thread that applies, which says NOT_HELD."""
        if why != self.why:
            self.why = why
            self._changed.fire("holds")


class _Refusal(NamedTuple):
    """What etcd said to the last write, and when."""

    why: str
    at_s: float


class _Seen(NamedTuple):
    """What a decision was made from, as far as a change of it can change the decision."""

    uses: object
    view: object
    stored: object
    claims: object
    services: object
    refused: object


class HoldWriter:
    """The actor that writes holds. HAProxy `runs` what it says; None: it was not asked yet.

    A holder without instances keeps what it has for `ttl_s`.
    """

    def __init__(
        self,
        access: Access,
        prefix: str,
        *,
        domain: str,
        ttl_s: int,
        keeper: Keeper,
        runs: Callable[[], ProxyConfig | None],
        problem: HoldProblem,
    ) -> None:
        self._etcd = Session(access)
        self._prefix = prefix
        self._domain = domain
        self._ttl_s = ttl_s
        self._keeper = keeper
        self._runs = runs
        self._problem = problem
        self._awake = Trigger()
        self._uses = Uses(domain)
        self._seen: _Seen | None = None
        self._due = Due({}, {}, {}, {})
        # When each holder that left is to be written as gone.
        self._gone_s: dict[HoldKey, float] = {}
        # How often each was written as gone since this host saw its holder.
        self._times_gone: dict[HoldKey, int] = {}
        self._refusal: _Refusal | None = None
        keeper.follow(lambda: self._awake.fire("catalog"))

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("holds", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()
        self._awake.fire("stop")

    def run(self) -> None:
        """Write what is due until interrupted."""
        keep_running(self._session, name="holding ports", stop=self._etcd.ended, cap_s=CAP_S)

    def _session(self) -> None:
        while not self._etcd.ended.is_set():
            self._awake.wait(self._turn())

    def _turn(self) -> float | None:
        """Write what is due now; return after how long there may be more without an event."""
        if self._runs() is None:
            return NO_HAPROXY_S
        if not self._look():
            return self._all_written()
        if (pause_s := self._pause_s()) > 0:
            return pause_s

        # Another host may write it meanwhile.
        hosts = len(self._keeper.state.stored.owners)
        if self._etcd.ended.wait(LATER_S + jitter(APART_S * hosts)) or not self._look():
            return self._all_written()

        return self._try_to_write()

    def _try_to_write(self) -> float | None:
        """Write all that is due; return after how long there may be more without an event."""
        try:
            # A connection for a moment costs less than one that is held.
            with self._etcd.store() as store:
                self._write(store)
        except Conflict:
            return jitter(AFTER_S)
        except (Refused, Full) as error:
            self._refusal = _Refusal(str(error), time.monotonic())
            return self._pause_s()

        return self._all_written()

    def _all_written(self) -> float | None:
        """Note that nothing is left, whoever wrote it; return when there is more."""
        self._refusal = None
        self._problem.update("")
        return self._until_next()

    def _pause_s(self) -> float:
        """Return how long not to write, and say why once no other host can either."""
        if self._refusal is None:
            return 0.0

        why, at_s = self._refusal
        ago_s = time.monotonic() - at_s
        if ago_s < TOLD_S:
            return TOLD_S - ago_s
        self._problem.update(why)
        return AGAIN_S - ago_s

    def _look(self) -> bool:
        """Decide anew if anything changed; return whether there is something to write now."""
        state = self._keeper.listed
        if state is None:
            return False

        uses = self._uses.of(state.view.services)
        seen = _Seen(
            uses,
            state.view.holds,
            state.stored.holds,
            state.view.claims,
            state.stored.services.keys(),
            state.stored.refused,
        )
        if seen != self._seen:
            self._seen = seen
            self._due = due(self._known(state))
            self._note_gone(state.stored.holds)

        return bool(self._due.new or self._due.back or self._gone())

    def _known(self, state: State) -> Known:
        running = self._runs()
        unread = list(unreadable(self._prefix, state.stored))
        return Known(
            view=state.view,
            stored=state.stored,
            uses=self._uses.of(state.view.services),
            domain=self._domain,
            holders=running.port_holders if running else {},
            unreadable=frozenset(key for key in unread if isinstance(key, HoldKey)),
            unread=frozenset(key.service for key in unread if isinstance(key, InstanceKey)),
        )

    def _note_gone(self, stored: Holds) -> None:
        self._times_gone = {
            key: times
            for key, times in self._times_gone.items()
            if key in self._due.idle or (key in stored and stored[key].leased)
        }

        # The same for all that left together, so that it is one write.
        now_s = time.monotonic() + jitter(GONE_APART_S)
        self._gone_s = {
            key: self._gone_s.get(key, now_s + self._gone_after_s(key)) for key in self._due.idle
        }

    def _gone_after_s(self, key: HoldKey) -> float:
        return float(GONE_S * 2 ** min(self._times_gone.get(key, 0), DOUBLED_MAX))

    def _gone(self) -> Mapping[HoldKey, Held]:
        now_s = time.monotonic()
        return {key: held for key, held in self._due.idle.items() if self._gone_s[key] <= now_s}

    def _until_next(self) -> float | None:
        """Return how long until a holder that left is to be written as gone."""
        if not self._gone_s:
            return None
        return max(0.0, min(self._gone_s.values()) - time.monotonic())

    def _write(self, store: Store) -> None:
        """Write all that is due, in transactions. Raises Conflict."""
        new = list(self._new())
        back = [_Change(key, self._of(key, it.hold), it) for key, it in self._due.back.items()]
        for puts in self._batches([*new, *back]):
            store.write(puts, lease=0)

        until = moment(time.time() + self._ttl_s)
        gone = [_Change(key, replace(it.hold, until=until), it) for key, it in self._gone().items()]
        for puts in self._batches(gone):
            self._write_leased(store, puts)

        if new:
            log.info("holding ports and names %s", _told(new))
        if gone:
            log.info("kept for services without instances %s", _told(gone))
        self._note_written(change.key for change in gone)

    def _new(self) -> Iterator["_Change"]:
        """Yield the holds of those that have none yet, or another one from a backup."""
        now = moment(time.time())
        for key, holder in self._due.new.items():
            yield _Change(key, self._of(key, Hold(holder, now)), self._due.instead.get(key))

    def _of(self, key: HoldKey, hold: Hold) -> Hold:
        """Return a hold as it is written of a holder that is there."""
        domain = domain_of(key, hold.holder, self._domain) or hold.domain
        return replace(hold, until=None, domain=domain)

    def _note_written(self, gone: Iterable[HoldKey]) -> None:
        """Leave what was written alone until the watch shows it."""
        for key in gone:
            self._times_gone[key] = self._times_gone.get(key, 0) + 1
            del self._gone_s[key]

        idle = {key: held for key, held in self._due.idle.items() if key in self._gone_s}
        self._due = Due({}, {}, idle, {})

    def _write_leased(self, store: Store, puts: list[Put]) -> None:
        lease = store.grant(self._ttl_s)
        try:
            store.write(puts, lease=lease)
        except (Conflict, Refused, Full):
            store.revoke(lease)
            raise

    def _batches(self, changes: Iterable["_Change"]) -> Iterator[list[Put]]:
        puts = (
            Put(key_of(self._prefix, change.key), encode(change.hold), change.expected)
            for change in changes
        )
        while batch := list(islice(puts, PUTS_MAX)):
            yield batch


class _Change(NamedTuple):
    """A hold to be written, and the one that it replaces; None: there is no such key."""

    key: HoldKey
    hold: Hold
    before: Held | None

    @property
    def expected(self) -> int:
        return self.before.modified if self.before else 0


def _told(changes: list[_Change]) -> Details:
    first = changes[0]
    until = {"until": first.hold.until} if first.hold.until else {}
    thing = f"{first.key.kind} {first.key.thing}"
    return Details(things=len(changes), first=thing, of=first.hold.holder, **until)
