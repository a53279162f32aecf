"""Tell that this host has a docker-discover, and answer what is asked of it.

Idle, it keeps a lease alive and writes nothing: presence is written once a life and when it
changes, an answer only while its question stands.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from catalog.access import Access
from catalog.asking.inbox import Inbox
from catalog.asking.presence import Presence, encode
from catalog.asking.responder import Answerer, Responder, put
from catalog.entries import Delete
from catalog.errors import Conflict, Full, Refused, Unavailable
from catalog.keys import ProxyKey, key_of
from catalog.session import Session
from catalog.store import Store
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.retry import keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

TTL_S = 15  # as a registrar's own: a host that died is waited for no longer
EVERY_S = TTL_S / 3
# What is not ready yet is often ready in a moment: then presence is one write, not two.
READY_WITHIN_S = 5.0
CAP_S = 5.0
LEAVE_S = 1.0


@dataclass(frozen=True, slots=True)
class Here:
    """Who speaks: this host's id, once it is known, and what is to be known of it."""

    host: Callable[[], str | None]
    presence: Callable[[], Presence]


class Speaker:
    """The actor that tells. Whoever fills the inbox, or makes progress, fires `awake`."""

    def __init__(
        self,
        access: Access,
        prefix: str,
        here: Here,
        answerers: Mapping[str, Answerer],
        inbox: Inbox,
        awake: Trigger,
    ) -> None:
        self._awake = awake
        self._inbox = inbox
        self._access = access
        self._prefix = prefix
        self._here = here
        self._etcd = Session(access)
        self._responder = Responder(prefix, "discover", answerers)
        self._started_s = time.monotonic()
        self._lease = 0
        self._told: tuple[str, bytes] | None = None  # the presence that stands, and its key
        self._revision = 0
        self._is_mute = False

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("speaker", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._etcd.end()
        self._awake.fire("stop")

    def run(self) -> None:
        """Tell until interrupted; then this host's presence ends."""
        keep_running(self._session, name="answers", stop=self._etcd.ended, cap_s=CAP_S)
        if self._lease:
            with contextlib.suppress(Unavailable), _closing(self._access) as store:
                store.revoke(self._lease)

    def _session(self) -> None:
        with self._etcd.store() as store:
            self._responder.forget()
            kept_s = -EVERY_S
            while not self._etcd.ended.is_set():
                now_s = time.monotonic()
                if now_s >= kept_s + EVERY_S:
                    self._keep(store)
                    kept_s = now_s

                wait_s = self._round(store, now_s)
                self._awake.wait(min(wait_s, max(0.0, kept_s + EVERY_S - time.monotonic())))

    def _keep(self, store: Store) -> None:
        """Keep our lease, or take another one."""
        if self._lease and store.keep_alive(self._lease):
            return

        self._lease, self._told = 0, None
        with contextlib.suppress(Full):
            self._lease = store.grant(TTL_S)

    def _round(self, store: Store, now_s: float) -> float:
        """Tell what is due, and return when there is more, at the latest."""
        host = self._here.host()
        if host is None:
            return EVERY_S if now_s > self._started_s + READY_WITHIN_S else 0.2

        try:
            wait_s = self._show(store, host, now_s)
            answer_s = self._responder.round(
                store, host, self._inbox.standing(), self._lease, now_s
            )
        except (Refused, Full) as error:
            # Calls do not depend on it: said once, and tried again at the next change.
            if not self._is_mute:
                log.warning("nobody can be told of this host: %s", error)
            self._is_mute = True
            return EVERY_S

        self._is_mute = False
        return wait_s if answer_s is None else min(wait_s, answer_s)

    def _show(self, store: Store, host: str, now_s: float) -> float:
        """Bring this host's presence to what it is."""
        presence = self._here.presence()
        is_early = self._told is None and now_s < self._started_s + READY_WITHIN_S
        if presence.not_ready and is_early:
            return 0.2

        wanted = key_of(self._prefix, ProxyKey(host)), encode(presence)
        if wanted != self._told and self._lease:
            if self._told is not None and self._told[0] != wanted[0]:
                self._withdraw(store, self._told[0])
            self._revision = put(store, *wanted, self._revision, self._lease)
            if self._told is None:
                log.info("others can ask this host %s", Details(host=host))
            self._told = wanted
        return EVERY_S

    def _withdraw(self, store: Store, key: str) -> None:
        """Take back what was told before this host's registrar said which id it has."""
        with contextlib.suppress(Conflict):  # another host has taken the key
            store.write((Delete(key, self._revision),), lease=0)
        self._revision = 0


@contextlib.contextmanager
def _closing(access: Access) -> Iterator[Store]:
    store = Store(access, deadline_s=LEAVE_S)
    try:
        yield store
    finally:
        store.close()
