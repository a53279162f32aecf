"""Tell what this host does not publish, and answer what is asked of its containers.

Idle, it writes nothing: what is refused is written when it changed, an answer only while its
question stands.
"""

import logging
import time
from collections.abc import Callable

from catalog.access import Access
from catalog.asking.answer import Answer
from catalog.asking.ask import EXPLAIN, UNTIL
from catalog.asking.inbox import Inbox, Standing
from catalog.asking.refusals import Refusal, encode
from catalog.asking.responder import Found, Responder
from catalog.asking.said_keys import refused_key
from catalog.entries import Put
from catalog.errors import Conflict, Full, Refused
from catalog.session import Session
from catalog.store import Store
from catalog.version import VERSION
from register.answers.container_facts import Known, refused_rows, rows_about
from register.records.host_state import HostLease, HostState
from sidecar.actors import Actor
from sidecar.retry import keep_running
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

# A container that starts is refused for a moment; a burst of them is one write.
SETTLE_S = 2.0
TURN_S = 300.0
KINDS = (EXPLAIN, UNTIL)


class Speaker:
    """The actor that tells. `wake` may come from any thread."""

    def __init__(
        self,
        access: Access,
        prefix: str,
        state: HostState,
        known: Callable[[], Known | None],
        inbox: Inbox,
        awake: Trigger,
        *,
        cap_s: float,
    ) -> None:
        self._prefix = prefix
        self._state = state
        self._known = known
        self._inbox = inbox
        self._awake = awake
        self._cap_s = cap_s
        self._etcd = Session(access)
        answerers = {EXPLAIN: self._explained, UNTIL: self._until}
        self._responder = Responder(prefix, "register", answerers)
        self._refusals = _Refusals(prefix)
        self._is_mute = False

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("speaker", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return. What was told stays for as long as the host's lease does."""
        self._etcd.end()
        self._awake.fire("stop")

    def run(self) -> None:
        """Tell until interrupted."""
        keep_running(self._session, name="answers", stop=self._etcd.ended, cap_s=self._cap_s)

    def _session(self) -> None:
        with self._etcd.store() as store:
            self._responder.forget()
            self._refusals.forget()
            while not self._etcd.ended.is_set():
                wait_s = self._round(store, time.monotonic())
                reasons = self._awake.wait(wait_s)
                if "known" in reasons:
                    self._refusals.changed(time.monotonic())
                elif not reasons and wait_s == TURN_S:
                    self._refusals.forget()  # somebody may have deleted it

    def _round(self, store: Store, now_s: float) -> float:
        """Tell what is due, and return when there is more, at the latest."""
        host, lease, known = self._state.host, self._state.lease, self._known()
        if host is None or lease is None or known is None:
            return TURN_S

        try:
            waits = (
                self._refusals.bring(store, host.id, known, lease, now_s),
                self._responder.round(store, host.id, self._inbox.standing(), lease.id, now_s),
            )
        except (Refused, Full) as error:
            # Nothing that is published depends on it: said once, tried again at the next change.
            if not self._is_mute:
                log.warning("nobody can be told what is refused here: %s", error)
            self._is_mute = True
            return TURN_S

        self._is_mute = False
        return min((wait_s for wait_s in waits if wait_s is not None), default=TURN_S)

    def _explained(self, asked: Standing) -> Found:
        what = asked.ask.what
        rows = tuple(rows_about(self._known() or Known(), what))
        if not rows:
            return Found(Answer("nothing", f"no container here is about {what}"))
        return Found(Answer(rows=rows))

    def _until(self, asked: Standing) -> Found:
        """Answer what is refused of names that are waited for; nothing if they are not here."""
        known = self._known() or Known()
        rows = tuple(refused_rows(known, asked.ask.names))
        news = tuple(
            (row["name"], row["container"], *(it["code"] for it in row["refused"])) for row in rows
        )
        return Found(Answer(rows=rows), is_final=False, look_s=TURN_S, news=news or None)


class _Refusals:
    """What is refused, as it stands in etcd."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._told: tuple[int, bytes] | None = None  # the lease and the value
        self._revision = 0
        self._changed_s: float | None = None  # since when something else may be refused

    def forget(self) -> None:
        """Write it again: etcd may have lost it."""
        self._told = None

    def changed(self, now_s: float) -> None:
        """Note that something else may be refused now."""
        if self._changed_s is None:
            self._changed_s = now_s

    def bring(
        self, store: Store, host: str, known: Known, lease: HostLease, now_s: float
    ) -> float | None:
        """Bring etcd to what is refused, and return when to come again; None: when woken."""
        if self._told is not None and self._told[0] == lease.id:
            if self._changed_s is None:
                return None

            # Nothing is compared before it has settled: a container that starts has no time for it.
            wait_s = self._changed_s + SETTLE_S - now_s
            if wait_s > 0:
                return wait_s

        self._changed_s = None
        wanted = lease.id, _value(known)
        if wanted != self._told:
            self._write(store, refused_key(self._prefix, host), wanted, lease)
        return None if self._told == wanted else SETTLE_S

    def _write(self, store: Store, key: str, wanted: tuple[int, bytes], lease: HostLease) -> None:
        entry = store.get(key) if self._told is None else None
        if entry is not None and (entry.lease, entry.value) == wanted:
            self._told, self._revision = wanted, entry.mod_revision
            return

        if self._told is None:
            self._revision = entry.mod_revision if entry else 0
        self._told = None
        try:
            put = Put(key, wanted[1], self._revision)
            self._revision = store.write((put,), lease=lease.id, fence=lease.fence)
        except Conflict as error:
            # Another registrar, or another lease: looked at again in a moment.
            log.debug("what is refused is not written: %s", error)
            return
        self._told = wanted


def _value(known: Known) -> bytes:
    """Return the bytes of what is refused."""
    refused = (Refusal(where, it.code, it.text) for where, it in known.refused.items())
    return encode(refused, KINDS, VERSION)
