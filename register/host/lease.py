"""Keep this host's one lease and its owner key. Writes no instance, knows no container."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from catalog.entries import Entry, Fence
from catalog.errors import Conflict, Full, Rejected
from catalog.keys import DrainedKey, OwnerKey, key_of
from catalog.store import Store
from register.docker.mount import DEAD
from register.host.acquire import KEEPALIVES_PER_TTL, acquire
from register.host.drain import Drain, DrainSettings
from register.host.drain_mark import undrain, why_drained
from register.host.identity import Registrar
from register.host.lease_report import LeaseReport
from register.host.lease_states import (
    Acquiring,
    Drained,
    Draining,
    Holding,
    LeaseState,
    NotHolding,
    Undraining,
    Waiting,
    next_state,
)
from register.host.next_life import leave_records
from register.host.owner import found_owner
from register.host.requests import Requests
from register.records.host_state import Command, HostLease, HostState
from sidecar.actors import Actor
from sidecar.bucket import Bucket, Rate
from sidecar.log import Details
from sidecar.program import StartAgain
from sidecar.retry import jitter, keep_running
from sidecar.status.health import Health

log = logging.getLogger(__name__)

# A lost host is acquired again after a random wait of up to the TTL divided by this: three writes
# of each of a hundred hosts are then below a hundred a second, also if all hosts lost their leases
# at the same moment, and every host is back within one TTL.
LOST_DIVISOR = 5
FULL_S = 10.0  # an etcd without space grants no lease; it is asked at most so often

# How a lease can be lost: it ended, or somebody deleted or overwrote the owner key.
Loss = Literal["expired", "taken"]


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """What the settings decide about the lease."""

    prefix: str
    ttl_s: int
    drain_wait_s: float

    @property
    def every_s(self) -> float:
        """The time between two keepalives."""
        return self.ttl_s / KEEPALIVES_PER_TTL


class LeaseKeeper:
    """Acquires the host, keeps its lease alive, and acquires it again when it is lost.

    `state` is all that the keeper knows of the lease. `shared.lease` follows it for the other
    actors, and `on_change` is called when there is another lease, or the host is found drained.
    """

    def __init__(
        self,
        store: Store,
        shared: HostState,
        settings: LeaseSettings,
        *,
        identify: Callable[[], Registrar],
        health: Health,
        on_change: Callable[[], None],
    ) -> None:
        self.state: LeaseState = Acquiring()
        self._store = store
        self._host_state = shared
        self._settings = settings
        self._identify = identify
        self._on_change = on_change
        self._registrar: Registrar | None = None
        self._requests = Requests()
        self._report = LeaseReport(health)
        self._stop = threading.Event()
        # Losses that are answered without a wait: a second one so soon would be a fight.
        self._instant_retries = Bucket(Rate(1 / settings.ttl_s, 1))

    def actor(self) -> Actor:
        """Return the actor that keeps the lease."""
        return Actor("lease", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return. The lease lives on: this process's end is no container's end."""
        self._stop.set()
        self._requests.stop()
        self._store.close()

    def ask(self, command: Command) -> None:
        """Ask to drain the host, or to bring it back: from any thread, also a signal's handler."""
        self._requests.ask(command)

    def leave(self) -> None:
        """Ask to end, and to leave the host to the next life of this container."""
        self._requests.leave()

    def recheck_owner(self, *, changed: bool = False) -> None:
        """Read the owner key now.

        `changed`: an event shows that it changed; else only a fenced write did not go through.
        """
        self._requests.recheck(changed=changed)

    def run(self) -> None:
        """Keep the lease until interrupted."""
        keep_running(
            self._session,
            name="lease",
            stop=self._stop,
            cap_s=self._settings.every_s,
            on_lost=self._failed,
        )

    def _failed(self, why: str) -> None:
        # No write until the lease was kept alive again: after an outage that comes first.
        if isinstance(self.state, Holding):
            self._enter(replace(self.state, confirmed=False))
        self._report.failed(why, is_identified=self._registrar is not None)

    def _session(self) -> None:
        if not isinstance(self.state, Holding):
            self._end_if_leaving()
        self._registrar = registrar = self._registrar or self._identify()
        self._host_state.host = registrar.host
        self._report.identified()

        while not self._stop.is_set() and not isinstance(self.state, Holding):
            self._end_if_leaving()
            try:
                self._try_to_hold(self.state, registrar)
            except Full as error:
                self._failed(str(error))
                self._requests.wait(FULL_S + jitter(FULL_S / 2))
            self._report.turned()

        while not self._stop.is_set() and isinstance(self.state, Holding):
            self._keep(self.state)

    def _enter(self, state: LeaseState) -> None:
        """Be in this state, and let the other actors see the lease that may be written under."""
        self.state = state
        lease = state.lease if isinstance(state, Holding) and state.confirmed else None
        if self._host_state.lease == lease:
            return

        self._host_state.lease = lease
        if lease is not None:
            self._on_change()

    # Not holding

    def _try_to_hold(self, state: NotHolding, registrar: Registrar) -> None:
        """Read the host's keys once, and do what they ask for."""
        prefix, host = self._settings.prefix, registrar.host.id
        entry = self._store.get(key_of(prefix, OwnerKey(host)))
        mark = self._store.get(key_of(prefix, DrainedKey(host)))
        self._report.reached_etcd()

        command = self._requests.command
        drained = why_drained(mark) if mark else None
        owner = None
        if entry is not None and command is None:
            owner = found_owner(entry.value, host, registrar.status_of)

        state = next_state(state.lost, command, drained, owner)
        self._enter(state)
        match state:
            case Draining():
                self._drain(registrar)
            case Undraining():
                undrain(self._store, prefix, host)
                self._requests.answered("undrain")
            case Drained(why=why):
                self._stay_drained(why)
            case Waiting(why=why):
                self._report.not_owner(why)
                self._requests.wait(self._settings.every_s)
            case Acquiring(lost=lost):
                self._acquire(entry, registrar, lost=lost)

    def _drain(self, registrar: Registrar) -> None:
        """Take the host out of service; also end a drain that another process began."""
        settings = DrainSettings(
            self._settings.prefix,
            registrar.host.id,
            self._settings.ttl_s,
            self._settings.drain_wait_s,
        )
        try:
            Drain(self._store, settings, registrar.owner, self._pause).run()
        except Rejected as error:
            self._report.warn(str(error))
        self._requests.answered("drain")

    def _pause(self, seconds: float) -> bool:
        self._report.turned()
        return self._stop.wait(seconds)

    def _stay_drained(self, why: str) -> None:
        self._report.not_owner(why)
        if self._host_state.drained != why:
            self._host_state.drained = why
            self._on_change()
        self._requests.wait(self._settings.every_s)

    def _acquire(self, entry: Entry | None, registrar: Registrar, *, lost: bool) -> None:
        if self._host_state.drained is not None:
            self._host_state.drained = None
            log.info("this host is no longer drained")

        prefix, host = self._settings.prefix, registrar.host.id
        not_drained = Fence(key_of(prefix, DrainedKey(host)), 0)
        with suppress(Conflict):  # another registrar was faster: read the keys again
            acquired = acquire(
                self._store,
                key_of(prefix, OwnerKey(host)),
                entry,
                registrar.owner,
                self._settings.ttl_s,
                any_ttl=False,
                fence=not_drained,
            )
            shown = Details(host=host, lease=f"{acquired.lease.id:x}", adopted=acquired.adopted)
            log.info("acquired the host lease %s", shown)

            replaces_lost = lost or self._requests.owner_changed
            lease = replace(acquired.lease, replaces_lost=replaces_lost)
            self._enter(Holding(lease, acquired.old_lease))

    def _end_if_leaving(self) -> None:
        if self._requests.is_leaving:
            raise StartAgain(DEAD)

    # Holding

    def _keep(self, state: Holding) -> None:
        """Confirm the lease once and wait until it is time for that again, or give it up."""
        began_s = time.monotonic()
        self._report.turned()
        if self._requests.command == "drain":
            self._enter(Acquiring())
            return
        self._requests.answered("undrain")  # the host is in service already

        doubt = self._host_state.why_stale(time.monotonic())
        if doubt is not None:
            self._enter(replace(state, doubt=doubt))
            self._report.doubts(doubt)
            self._end_if_leaving()
        elif loss := self._loss_of(state.lease):
            self._lost(state.lease, loss)
            return
        else:
            self._confirmed(state)

        # An etcd that takes its time must not stretch the interval.
        self._requests.wait(max(0.0, began_s + self._settings.every_s - time.monotonic()))

    def _loss_of(self, lease: HostLease) -> Loss | None:
        """Keep the lease alive, and return how it was lost; None if it is held."""
        if self._store.keep_alive(lease.id) == 0:
            return "expired"
        # Keys can be deleted behind our back, and etcd before 3.5.23 may call a lease alive that
        # is not.
        entry = self._store.get(lease.owner_key)
        is_ours = entry is not None and entry.mod_revision == lease.revision
        return None if is_ours else "taken"

    def _lost(self, lease: HostLease, loss: Loss) -> None:
        log.warning("lost the host lease, acquiring it again %s", Details(lease=f"{lease.id:x}"))
        self._enter(Acquiring(lost=loss == "expired"))

        changed = self._requests.owner_changed
        now_s = time.monotonic()
        # An event showed the change, so etcd was there all the time, and not all hosts return
        # together: no wait. Nor is there one after a loss without an event or an expiry.
        if changed and not self._instant_retries.wait_s(now_s):
            self._instant_retries.spend(now_s)
        elif changed or loss == "expired":
            self._requests.wait(jitter(self._settings.ttl_s / LOST_DIVISOR))

    def _confirmed(self, state: Holding) -> None:
        self._requests.owner_changed = False
        self._report.confirmed()
        is_leaving = self._requests.is_leaving  # nobody else writes while the records are left
        self._enter(replace(state, confirmed=not is_leaving, doubt=None))

        if is_leaving and (host := self._host_state.host) is not None:
            leave_records(self._store, self._settings.prefix, host.id, state.lease)
            self._end_if_leaving()
        if state.old_lease:
            self._leave_old_lease(state)

    def _leave_old_lease(self, state: Holding) -> None:
        """End the old lease once nothing stands under it any more, and keep it alive until then."""
        if self._host_state.published_under == state.lease:
            self._store.revoke(state.old_lease)
            self._enter(replace(state, confirmed=True, doubt=None, old_lease=0))
        else:
            self._store.keep_alive(state.old_lease)
