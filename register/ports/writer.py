"""Tell this host's docker-discover which ports of the host its containers have or want.

HAProxy would else hold a port that `docker run -p` is about to bind. From the event of a
container's creation to the bind are some fifty milliseconds: so this waits for no list, and not for
the publisher.
"""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from catalog.access import Access
from catalog.entries import Delete, Put
from catalog.errors import Conflict, Rejected
from catalog.keys import HostPortsKey, key_of
from catalog.records.host_ports import HostPort, encode
from catalog.session import Session
from catalog.store import Store
from register.docker.connection import Connection, Gone
from register.docker.hints import DockerEvent
from register.docker.parse import parse_inspect
from register.ports.events import EVENTS, SUBSCRIBED
from register.ports.users import PortUser, user_of
from register.records.host_state import HostLease, HostState
from sidecar.actors import Actor
from sidecar.log import Details
from sidecar.retry import keep_running
from sidecar.status.problems import Problem
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

Told = Callable[[dict[str, Problem]], None]


class HostPorts:
    """The actor that tells. It is told of events by `note`, and of another lease by `wake`."""

    def __init__(
        self,
        access: Access,
        prefix: str,
        engine: Connection,
        state: HostState,
        *,
        told: Told,
        resync_s: float,
        cap_s: float,
    ) -> None:
        self._prefix = prefix
        self._engine = engine
        self._state = state
        self._awake = Trigger()
        self._told = told
        self._resync_s = resync_s
        self._cap_s = cap_s
        self._etcd = Session(access)
        self._users: dict[str, PortUser] = {}
        # Containers that events named, and what is known of them already.
        self._changed: deque[tuple[str, object]] = deque()
        self._statuses: dict[str, str] = {}  # as the last list had them

    def note(self, event: DockerEvent, document: object = None) -> None:
        """Take an event of the engine and, if it was asked for, the inspect. From any thread."""
        if event is SUBSCRIBED:
            self._awake.fire("subscribed")
            return

        known = self._users.get(event.container)
        is_mended = event.action == "start" and known is not None and known.error
        if event.container and (event.action in EVENTS or is_mended):
            self._changed.append((event.container, document))
            self._awake.fire(event.action)

    def wake(self, why: str) -> None:
        """Look again what is to be told, from any thread."""
        self._awake.fire(why)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("host ports", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return. What was told stays for as long as the host's lease does."""
        self._etcd.end()
        self._awake.fire("stop")

    def run(self) -> None:
        """Tell until interrupted."""
        keep_running(
            self._session, name="ports of the host", stop=self._etcd.ended, cap_s=self._cap_s
        )

    def _session(self) -> None:
        with self._etcd.store() as store:
            written = _Written(store)
            self._look_at_all()
            while not self._etcd.ended.is_set():
                self._tell(written)
                reasons = self._awake.wait(self._resync_s)
                if not reasons:
                    written.forget()
                if not reasons or "subscribed" in reasons:
                    self._look_at_all()
                self._look_at_changed()

    def _look_at_all(self) -> None:
        """Look at every container that is new or has another status, whatever events said."""
        rows = self._engine.ask("list all containers", lambda client: client.containers(all=True))
        listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        statuses = {str(row.get("Id")): str(row.get("State")) for row in listed}
        self._users = {id_: user for id_, user in self._users.items() if id_ in statuses}

        for id_, status in statuses.items():
            if self._statuses.get(id_) != status:
                self._look_at(id_)
        self._statuses = statuses

    def _look_at_changed(self) -> None:
        while self._changed:
            id_, document = self._changed.popleft()
            if document is None:
                self._look_at(id_)
            else:
                self._take(id_, document)

    def _look_at(self, id_: str) -> None:
        def question(client: Any) -> Any:
            return client.inspect_container(id_)

        try:
            document = self._engine.ask("inspect a container", question)
        except Gone:
            self._statuses.pop(id_, None)
            document = None
        self._take(id_, document)

    def _take(self, id_: str, document: object) -> None:
        """Note what a container has; one that is gone, or that cannot be read, has nothing."""
        user = None
        with contextlib.suppress(Rejected):
            container = parse_inspect(document)
            user = user_of(container, time.monotonic(), self._users.get(id_))

        if user is None:
            self._users.pop(id_, None)
        else:
            self._users[id_] = user

    def _tell(self, written: "_Written") -> None:
        problems = {
            f"{user.name} start": problem
            for user in self._users.values()
            if (problem := user.problem())
        }
        self._told(problems)

        host, lease = self._state.host, self._state.lease
        if host is None or lease is None:
            return

        now_s = time.monotonic()
        ports: set[HostPort] = set()
        for user in self._users.values():
            if user.until_s is None or now_s < user.until_s:
                ports.update(user.ports)
        key = key_of(self._prefix, HostPortsKey(host.id))
        written.bring(key, encode(ports) if ports else None, lease)


class _Written:
    """The key in etcd, as it was last read or written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_known = False
        self._revision = 0  # 0: there is no such key
        self._value: bytes | None = None
        self._lease = 0

    def forget(self) -> None:
        """Read it again before the next comparison."""
        self._is_known = False

    def bring(self, key: str, value: bytes | None, lease: HostLease) -> None:
        """Make the key have a value, or be gone for None. Raises Unavailable."""
        if not self._is_known:
            entry = self._store.get(key)
            self._revision = entry.mod_revision if entry else 0
            self._value = entry.value if entry else None
            self._lease = entry.lease if entry else 0
            self._is_known = True

        is_as_wanted = value == self._value and (value is None or self._lease == lease.id)
        if is_as_wanted:
            return

        change = Delete(key, self._revision) if value is None else Put(key, value, self._revision)
        self._is_known = False
        try:
            revision = self._store.write((change,), lease=lease.id, fence=lease.fence)
        except Conflict as error:
            # Another registrar, or another lease: whoever has it fires, or the next resync comes.
            log.debug("ports of the host not written %s", Details(why=str(error)))
            return

        self._revision = 0 if value is None else revision
        self._value, self._lease, self._is_known = value, lease.id, True
