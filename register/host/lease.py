"""Keep this host's one lease and its owner key. Writes no instance; decides nothing about containers."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from catalog.entries import Entry, Fence
from catalog.errors import Conflict, Full, Rejected
from catalog.keys import DrainedKey, OwnerKey, key_of
from catalog.store import Store
from register.host.claiming import take
from register.host.drain import Drain, Plan, undrain, why_drained
from register.host.owner import WAITING, Owner, Verdict, decode
from register.records.standing import Asked, Claim, Host, Standing
from sidecar.actors import Actor
from sidecar.bucket import Bucket, Rate
from sidecar.health import Health
from sidecar.log import Details
from sidecar.retry import jitter, keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

KEEPALIVES_PER_TTL = 3  # after one that got lost the next still has a third of the TTL
# A lease vouches for fresh knowledge. Upgrading an engine with live-restore takes a minute or two, during which all
# containers serve; an engine that is away for five is broken, and its containers' fate unknown.
# Of the TTL, at most, to wait before claiming anew: three writes of each of a hundred hosts are then below a hundred
# a second, also if all of them are told at the same moment; and everybody is back within one TTL.
LOST_PART = 5
FULL_S = 10.0  # an etcd without space grants no lease; it is asked at most so often
LISTED_WITHIN_S = 300.0
TURNED_WITHIN_S = (
    60.0  # the slowest round: an engine and an etcd that let every call run into its deadline
)


@dataclass(frozen=True, slots=True)
class Registrar:
    """This life of the registrar: the host it writes for, its record, and how to judge another owner's."""

    host: Host
    owner: Owner
    judge: Callable[[Owner], Verdict]


class LeaseKeeper:
    """Claims the host, keeps the claim alive, and claims anew when it is lost; `standing.claim` says what holds."""

    def __init__(
        self,
        store: Store,
        standing: Standing,
        *,
        identify: Callable[[], Registrar],
        prefix: str,
        ttl_s: int,
        drain_wait_s: float,
        health: Health,
        on_change: Callable[[], None],
    ) -> None:
        self._store, self._standing, self._identify = store, standing, identify
        self._prefix, self._ttl_s, self._health, self._on_change = prefix, ttl_s, health, on_change
        self._drain_wait_s = drain_wait_s
        self._stop, self._awake = threading.Event(), Trigger()
        self._every_s = ttl_s / KEEPALIVES_PER_TTL
        self._me: Registrar | None = None
        self._claim: Claim | None = None
        self._old_lease = 0  # of an earlier life with another TTL: lives until everything stands under the new one
        self._said: str | None = None
        self._asked: Asked | None = None
        self._lease_gone = False  # the last one this life had
        self._seen = False  # the owner key was seen to change
        # claims without a wait: a second one so soon would be a fight
        self._at_once = Bucket(Rate(1 / ttl_s, 1))

    def actor(self) -> Actor:
        """Return the actor that keeps the lease."""
        return Actor("lease", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return. The lease goes on living: this process's end is no container's end."""
        self._stop.set()
        self._awake.fire("stop")
        self._store.close()

    def ask(self, what: Asked) -> None:
        """Drain the host, or bring it back: from any thread, also a signal's handler."""
        self._asked = what
        self._awake.fire(what)

    def look(self, *, seen: bool = False) -> None:
        """Make the keeper look at the owner key now: it was seen to change, or a fenced write found another one."""
        self._seen = self._seen or seen
        self._awake.fire("look")

    def run(self) -> None:
        """Keep the claim until interrupted."""
        keep_running(
            self._session,
            name="lease",
            stop=self._stop,
            cap_s=self._every_s,
            on_lost=self._lost_sight,
        )

    def _lost_sight(self, why: str) -> None:
        # No write until the lease was kept alive again: after an outage that comes first.
        self._standing.claim = None
        self._health.turned("lease")
        self._health.bad("etcd" if self._me else "host", why)

    def _session(self) -> None:
        me = self._me = self._me or self._identify()
        self._standing.host = me.host
        self._health.good("host")
        while not self._stop.is_set() and self._claim is None:
            try:
                self._claim = self._obtained(me)
            except Full as error:
                self._lost_sight(str(error))
                self._awake.wait(FULL_S + jitter(FULL_S / 2))
            self._health.turned("lease")
        while not self._stop.is_set() and self._claim is not None:
            self._keep(self._claim)

    def _keep(self, claim: Claim) -> None:
        """Keep the claim alive once, and wait for the next time; forget it if it is gone."""
        began_s = time.monotonic()
        self._health.turned("lease")
        if self._asked == "drain":
            self._claim = self._standing.claim = None
            return
        self._answered("undrain")  # back in service is where it is
        doubt = self._doubt(time.monotonic())
        if doubt:
            self._say("not keeping the lease alive: %s", doubt)
            self._health.bad("owner", doubt)
        elif not self._is_held(claim):
            self._lost(claim)
            return
        else:
            self._holds(claim)
        # An etcd that takes its time must not stretch the interval.
        self._awake.wait(max(0.0, began_s + self._every_s - time.monotonic()))

    def _lost(self, claim: Claim) -> None:
        log.warning("claim lost, claiming the host again %s", Details(lease=f"{claim.lease:x}"))
        self._claim = self._standing.claim = None
        now_s = time.monotonic()
        if self._seen and not self._at_once.wait_s(
            now_s
        ):  # etcd was there all the time, so this is no outage's herd
            self._at_once.spend(now_s)
        elif self._seen or self._lease_gone:  # then most likely every host's is
            self._awake.wait(jitter(self._ttl_s / LOST_PART))

    def _holds(self, claim: Claim) -> None:
        self._said, self._seen = None, False
        for fact in ("etcd", "owner"):
            self._health.good(fact)
        if self._standing.claim != claim:
            self._standing.claim = claim
            self._on_change()
        if self._old_lease:
            self._leave_old(claim)

    def _is_held(self, claim: Claim) -> bool:
        self._lease_gone = self._store.keep_alive(claim.lease) == 0
        if self._lease_gone:
            return False
        # Keys can be deleted behind our back, or a lease be said to live that does not (etcd before 3.5.23).
        entry = self._store.get(claim.owner_key)
        return entry is not None and entry.mod_revision == claim.revision

    def _leave_old(self, claim: Claim) -> None:
        if self._standing.settled == claim:
            self._store.revoke(self._old_lease)
            self._old_lease = 0
        else:
            self._store.keep_alive(self._old_lease)

    def _doubt(self, now_s: float) -> str | None:
        """Return why the lease must not vouch for what is published; None if it may."""
        if now_s - self._standing.listed_s > LISTED_WITHIN_S:
            return f"no list of containers for more than {LISTED_WITHIN_S:g} s"
        if now_s - self._standing.turned_s > TURNED_WITHIN_S:
            return f"the publisher is stuck for more than {TURNED_WITHIN_S:g} s"
        return None

    def _obtained(self, me: Registrar) -> Claim | None:
        """Return the claim, or wait a while and return none if the host is another registrar's, or drained."""
        key = key_of(self._prefix, OwnerKey(me.host.id))
        drained_key = key_of(self._prefix, DrainedKey(me.host.id))
        entry, drained = self._store.get(key), self._store.get(drained_key)
        self._health.good("etcd")
        if self._asked == "drain" or (drained and entry and self._is_over(entry, me)):
            self._drain(me)
        elif self._asked == "undrain":
            undrain(self._store, self._prefix, me.host.id)
            self._answered("undrain")
        elif drained is not None:
            self._stand_aside(why_drained(drained))
        elif entry is not None and not self._may_adopt(entry, me):
            self._awake.wait(self._every_s)
        else:
            self._take_part()
            with suppress(Conflict):  # somebody was faster: look again
                return self._taken(key, entry, me, Fence(drained_key, 0))
        return None

    def _drain(self, me: Registrar) -> None:
        """Take the host out of service; also what an earlier life, or a command, has begun and not ended."""
        plan = Plan(self._prefix, me.host.id, self._ttl_s, self._drain_wait_s)
        try:
            Drain(self._store, plan, me.owner, self._pause).run()
        except Rejected as error:
            self._say("%s", str(error))
        self._answered("drain")

    def _answered(self, what: Asked) -> None:
        if self._asked == what:  # something else may have been asked meanwhile
            self._asked = None

    def _pause(self, seconds: float) -> bool:
        self._health.turned("lease")
        return self._stop.wait(seconds)

    def _stand_aside(self, why: str) -> None:
        self._say("%s", why)
        self._health.bad("owner", why)
        if self._standing.drained != why:
            self._standing.drained = why
            self._on_change()
        self._awake.wait(self._every_s)

    def _take_part(self) -> None:
        if self._standing.drained is not None:
            self._standing.drained = None
            log.info("this host is no longer drained")

    def _taken(self, key: str, entry: Entry | None, me: Registrar, fence: Fence) -> Claim:
        taken = take(self._store, key, entry, me.owner, self._ttl_s, any_ttl=False, fence=fence)
        self._old_lease = taken.old_lease
        log.info(
            "claimed %s",
            Details(host=me.host.id, lease=f"{taken.claim.lease:x}", adopted=taken.adopted),
        )
        return replace(taken.claim, again=self._lease_gone or self._seen)

    def _is_over(self, entry: Entry, me: Registrar) -> bool:
        """Whether an owner key is an earlier life's, or a command's that did not come to its end."""
        with suppress(Rejected):
            return self._asked is None and me.judge(decode(entry.value)) == "over"
        return False

    def _may_adopt(self, entry: Entry, me: Registrar) -> bool:
        try:
            other = decode(entry.value)
            verdict = me.judge(other)
        except Rejected as error:
            self._wait_for(
                "the owner key cannot be read, this one waits until its lease ends: %s", str(error)
            )
            return False
        if verdict == "over":
            return True
        who = Details(host=me.host.id, hostname=other.hostname, ip=other.host_ip, since=other.since)
        self._wait_for(f"{WAITING[verdict]} %s", str(who))
        return False

    def _wait_for(self, words: str, detail: str) -> None:
        self._say(words, detail)
        self._health.bad("owner", words % detail)

    def _say(self, words: str, detail: str) -> None:
        if self._said != words % detail:
            self._said = words % detail
            log.warning(words, detail)
