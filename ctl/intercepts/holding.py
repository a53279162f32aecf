"""Hold an intercept in etcd: under a lease that is kept alive, so that it ends with whoever holds.

    with Holding(access, prefix, "orders", override, tell=print) as holding:
        holding.begin(take=False)
        ...  # meanwhile `tell` is called with: gone, away or back

Hosts give the calls back as soon as it ends, and 15 s after this machine was last heard of.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from catalog.access import Access
from catalog.entries import Delete, Put, Unchanged
from catalog.errors import Compacted, Conflict, Refused, Unavailable
from catalog.keys import OverrideKey, key_of, overrides_root
from catalog.overrides.override import Override, encode
from catalog.overrides.standing import Standing, Standings, standings_of
from ctl.asking import store_of
from ctl.intercepts.wish import rivals

if TYPE_CHECKING:
    from catalog.store import Store, Watch

LEASE_S = 14  # etcd ends one up to a second late, and calls shall be back after 15 s
KEEP_S = 5.0
AGAIN_S = 1.0
TRIES = 5  # to begin, each of which somebody else was ahead of

# It is in etcd no more; etcd has not been reached for as long as the lease lives; it is again.
News = Literal["gone", "away", "back"]
Fate = Literal["there", "taken", "ended", "lost"]


class Rival(Exception):
    """Somebody else intercepts the same calls."""

    def __init__(self, key: OverrideKey, override: Override) -> None:
        super().__init__(override.by)
        self.key = key
        self.override = override


class Holding:
    """One intercept. For one thread; two of its own keep it, and tell of its end."""

    def __init__(
        self,
        access: Access,
        prefix: str,
        service: str,
        override: Override,
        tell: Callable[[News], None],
    ) -> None:
        self.key = OverrideKey(service, secrets.token_hex(4))
        self._tell = tell
        self._access = access
        self._prefix = prefix
        self._override = override
        self._store = store_of(access)
        self._lease = 0
        self._revision = 0
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._watch: Watch | None = None

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Give the calls back."""
        self.end()
        self._store.close()

    def check(self, *, take: bool) -> None:
        """Raise Rival if somebody else has the same calls, unless they shall be taken."""
        standings, _revision = self._standings()
        self._check(standings, rivals(standings, self.key.service, self._override), take=take)

    def begin(self, *, take: bool) -> None:
        """Write it, in place of those that are taken. Raises Rival or Unavailable."""
        for _ in range(TRIES):
            standings, revision = self._standings()
            others = rivals(standings, self.key.service, self._override)
            self._check(standings, others, take=take)

            lease = self._store.grant(LEASE_S)
            deletes = [Delete(self._text(key), standings[key].modified) for key in others]
            put = Put(self._text(self.key), encode(self._override), 0)
            fence = Unchanged(self._root(), revision)
            try:
                self._revision = self._store.write((*deletes, put), lease=lease, fence=fence)
            except Conflict:
                self._store.revoke(lease)
                continue
            self._lease = lease
            self._start()
            return
        raise Unavailable(f"{self.key.service}: others change its overrides all the time")

    def _check(self, standings: Standings, others: list[OverrideKey], *, take: bool) -> None:
        """Raise Rival for the first that is not our own, such as of a shell that was killed."""
        for key in others:
            its = standings[key].override
            if its is not None and its.by != self._override.by and not take:
                raise Rival(key, its)

    def fate(self) -> tuple[Fate, str]:
        """Return what became of it, and who has the calls now. Raises Unavailable."""
        standings, _revision = self._standings()
        if self.key in standings and standings[self.key].modified == self._revision:
            return "there", ""
        for key in rivals(standings, self.key.service, self._override):
            its = standings[key].override
            if its is not None and key != self.key:
                return "taken", its.by
        is_alive = self._lease and self._store.time_to_live(self._lease) is not None
        return ("ended" if is_alive else "lost"), ""

    def end(self) -> None:
        """End it at once; without etcd it ends with its lease."""
        self._stop()
        if not self._lease:
            return
        lease, self._lease = self._lease, 0
        with contextlib.suppress(Unavailable, Conflict):
            try:
                self._store.revoke(lease)
            except Refused:
                self._store.write((Delete(self._text(self.key), self._revision),), lease=0)

    def _start(self) -> None:
        self._stop()
        self._over = threading.Event()
        jobs = (self._keep, self._look)
        self._threads = [
            threading.Thread(target=job, args=(self._over,), name=job.__name__, daemon=True)
            for job in jobs
        ]
        for thread in self._threads:
            thread.start()

    def _stop(self) -> None:
        self._over.set()
        if self._watch:
            self._watch.cancel()
        for thread in self._threads:
            thread.join(KEEP_S)
        self._threads = []

    def _keep(self, over: threading.Event) -> None:
        """Keep the lease alive, and tell when it is gone, or cannot be kept."""
        store, lease = store_of(self._access), self._lease
        kept_s, is_away = time.monotonic(), False
        while not over.wait(AGAIN_S if is_away else KEEP_S):
            try:
                lives = store.keep_alive(lease) > 0
            except Unavailable:
                if not is_away and time.monotonic() > kept_s + LEASE_S:
                    is_away = True
                    self._tell("away")
                continue

            if not lives:
                self._tell("gone")
                break
            kept_s = time.monotonic()
            if is_away:
                is_away = False
                self._tell("back")
        store.close()

    def _look(self, over: threading.Event) -> None:
        """Tell when the key is gone: somebody took the calls, or ended it."""
        store, key, ours = store_of(self._access), self._text(self.key), self._revision
        while not over.is_set():
            try:
                listing = store.list(key)
                if not any(it.key == key and it.mod_revision == ours for it in listing.entries):
                    self._tell("gone")
                    break
                if self._is_gone(store.watch(key, listing.revision), key, over):
                    self._tell("gone")
                    break
            except (Unavailable, Compacted):
                over.wait(AGAIN_S)
        store.close()

    def _is_gone(self, watch: "Watch", key: str, over: threading.Event) -> bool:
        self._watch = watch
        if over.is_set():
            watch.cancel()
        return any(event.key == key for batch in watch for event in batch.events)

    def _standings(self) -> tuple[Standings, int]:
        listing = self._store.list(self._root())
        return standings_of(self._prefix, listing.entries), listing.revision

    def _root(self) -> str:
        return f"{overrides_root(self._prefix)}{self.key.service}/"

    def _text(self, key: OverrideKey) -> str:
        return key_of(self._prefix, key)


def intercepts_in(prefix: str, store: "Store") -> dict[OverrideKey, Standing]:
    """Return all intercepts. Raises Unavailable."""
    found = standings_of(prefix, store.list(overrides_root(prefix)).entries)
    return {key: its for key, its in found.items() if its.override and its.override.to}


def end_intercept(prefix: str, store: "Store", key: OverrideKey, standing: Standing) -> None:
    """End an intercept of whoever has it. Raises Unavailable."""
    with contextlib.suppress(Conflict):  # it ended by itself meanwhile
        store.write((Delete(key_of(prefix, key), standing.modified),), lease=0)
