"""Ask the pair, and hear its answers as they come.

    with Asking(access, prefix) as asking:
        for heard in asking.ask(Ask("explain", "orders"), within_s=5):
            print(heard.host, heard.side, heard.answer.rows)
        print(asking.silent, asking.unable)

Whoever is known not to answer is not waited for: `unable`. The question ends with its lease.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from catalog.access import Access
from catalog.asking import answer, ask
from catalog.asking.answer import Answer
from catalog.asking.ask import APPLIED, Ask
from catalog.asking.said_keys import Side, parse_answer_key, refused_key, said_root
from catalog.entries import Delete, Entry, Event, Put
from catalog.errors import Conflict, Refused, Rejected, Unavailable
from catalog.keys import AskKey, ProxyKey, hosts_root, key_of
from ctl.fleet import BOTH, Fleet, Sidecar, fleet_of

if TYPE_CHECKING:
    from catalog.store import Store, Watch

TTL_S = 15
KEEP_S = TTL_S / 3
LOOK_S = 2.0  # how often hosts that say nothing are looked for


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer, and how many seconds after the question it came."""

    host: str
    side: Side
    answer: Answer
    after_s: float
    revision: int  # of etcd, at which it was written


class Asking:
    """One asker, for one thread. `fleet` is who is there when the last question is asked.

    `missing` are those of whom an answer is waited for, `left` those whose lease ended meanwhile.
    """

    def __init__(self, access: Access, prefix: str) -> None:
        self._access = access
        self._prefix = prefix
        self._store = store_of(access)
        self.fleet = Fleet()
        self.entries: tuple[Entry, ...] = ()  # of all hosts, as they were before the question
        self.revision = 0  # at which the question was asked
        self.unable: frozenset[Sidecar] = frozenset()
        self.missing: frozenset[Sidecar] = frozenset()
        self.left: frozenset[Sidecar] = frozenset()
        self._is_over: Callable[[frozenset[Sidecar]], bool] = lambda _left: False
        self._deadline_s = 0.0
        self._wake = threading.Event()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._store.close()

    @property
    def silent(self) -> frozenset[Sidecar]:
        """Those who could answer and did not, up to now."""
        return self.missing - self.left

    def meet(self) -> int:
        """Read who is there, without a question; return the revision. Raises Unavailable."""
        hosts = self._store.list(hosts_root(self._prefix))
        said = self._store.list(said_root(self._prefix))
        self.entries = hosts.entries
        self.fleet = fleet_of(self._prefix, hosts.entries, said.entries)
        return said.revision

    def ask(
        self,
        asked: Ask,
        within_s: float,
        *,
        sides: Iterable[Side] = BOTH,
        also: Iterable[Side] = (),
        enough: Callable[[Heard], bool] | None = None,
        is_over: Callable[[frozenset[Sidecar]], bool] | None = None,
    ) -> Generator[Heard, None, None]:
        """Ask, and yield answers until all who can have given `enough`, or the time is over.

        Nobody of the sides in `also` is waited for. Without `enough` the first answer is, or of
        APPLIED the one that has the revision. With `every_ms` answers come until the time is over.
        `is_over` is asked, in another thread, when some left: then perhaps nobody is waited for any
        more. Raises Unavailable.
        """
        store, sides = self._store, tuple(sides)
        if len(heard := tuple({*sides, *also})) < len(BOTH):
            asked = replace(asked, sides=heard)
        revision = self.meet()
        self.unable = self.fleet.unable(asked, sides)
        self.missing = self.fleet.able(asked, sides)
        self.left = frozenset()
        self._is_over = is_over or (lambda left: bool(self.missing) and self.missing <= left)
        self.end_by(time.monotonic() + within_s)

        id_ = os.urandom(8).hex()
        key = key_of(self._prefix, AskKey(id_))
        watch = store.watch(said_root(self._prefix), revision)
        lease = store.grant(TTL_S)
        try:
            put = Put(key, ask.encode(asked), 0)
            self.revision = store.write((put,), lease=lease)
            if self.missing:
                yield from self._answers(asked, id_, watch, enough, lease)
        finally:
            watch.cancel()
            self._end(lease, key)

    def _answers(
        self,
        asked: Ask,
        id_: str,
        watch: "Watch",
        enough: Callable[[Heard], bool] | None,
        lease: int,
    ) -> Iterator[Heard]:
        started_s = time.monotonic()
        is_enough = enough or (lambda heard: is_final(asked, self.revision, heard.answer))
        over = threading.Event()
        thread = threading.Thread(
            target=self._keep, args=(lease, watch, over), name="asking", daemon=True
        )
        thread.start()
        try:
            for batch in watch:
                for event in batch.events:
                    heard = self._heard(event, id_, started_s)
                    # An older sidecar answers also where only the other side is asked.
                    if heard is None or not asked.is_for(heard.host, heard.side):
                        continue
                    if is_enough(heard):
                        self.missing -= {(heard.host, heard.side)}
                    yield heard

                if not self.missing - self.left and not asked.every_ms:
                    return
        finally:
            over.set()
            self._wake.set()
            thread.join()

    def _heard(self, event: Event, id_: str, started_s: float) -> Heard | None:
        key = parse_answer_key(self._prefix, event.key)
        if key is None or key.ask != id_ or event.entry is None:
            return None
        try:
            said = answer.decode(event.entry.value)
        except Rejected as error:
            said = Answer("failed", f"the answer cannot be read: {error}")
        return Heard(key.host, key.by, said, time.monotonic() - started_s, event.revision)

    def end_by(self, deadline_s: float) -> None:
        """Let the question end at another time of the monotonic clock than it was asked for."""
        self._deadline_s = deadline_s
        self._wake.set()

    def connect_again(self) -> None:
        """Take another connection, after one that was lost."""
        self._store.close()
        self._store = store_of(self._access)

    def look(self, root: Callable[[str], str] = hosts_root) -> Sequence[Entry]:
        """Return what stands now below a root of the prefix. Raises Unavailable."""
        return self._store.list(root(self._prefix)).entries

    def entries_at(self, revision: int) -> Sequence[Entry]:
        """Return what stood below the hosts at a revision. Raises Compacted, Unavailable."""
        return self._store.list(hosts_root(self._prefix), revision=revision).entries

    def _keep(self, lease: int, watch: "Watch", over: threading.Event) -> None:
        """Keep the question alive, note whose lease ends, and end the watch when time is over."""
        kept_s = looked_s = time.monotonic()
        store: Store | None = None
        while not over.is_set() and (now_s := time.monotonic()) < self._deadline_s:
            if now_s < looked_s + LOOK_S:
                self._wake.wait(min(self._deadline_s, looked_s + LOOK_S) - now_s)
                self._wake.clear()
                continue

            store = store or store_of(self._access)
            looked_s, left = now_s, self.left
            with contextlib.suppress(Unavailable):
                if now_s >= kept_s + KEEP_S:
                    store.keep_alive(lease)
                    kept_s = now_s
                self.left = frozenset(each for each in self.missing if self._is_gone(store, each))
            if self.left != left and self._is_over(self.left):
                break

        watch.cancel()
        if store:
            store.close()

    def _is_gone(self, store: "Store", sidecar: Sidecar) -> bool:
        host, side = sidecar
        presence = key_of(self._prefix, ProxyKey(host))
        return (
            store.get(presence if side == "discover" else refused_key(self._prefix, host)) is None
        )

    def _end(self, lease: int, key: str) -> None:
        # Without etcd the lease ends by itself.
        with contextlib.suppress(Unavailable):
            try:
                self._store.revoke(lease)
            except Refused:
                # Other keys of the lease may not be ours to delete: they go when it ends.
                with contextlib.suppress(Conflict):
                    self._store.write((Delete(key, self.revision),), lease=0)


def store_of(access: Access) -> "Store":
    """Return a connection to etcd, for one thread."""
    # grpc is loaded once somebody asks: neither `--help` nor TAB waits for it.
    from catalog.store import Store  # noqa: PLC0415

    return Store(access)


def is_final(asked: Ask, revision: int, said: Answer) -> bool:
    """Whether an answer is what was asked for: HAProxy may still be behind."""
    if asked.kind != APPLIED or said.status != "answer":
        return True

    reached = said.facts.get("revision")
    return isinstance(reached, int) and reached >= (asked.revision or revision)
