"""The watch: what changes under a prefix, complete and in order, or an error. Never a silent end.

It stands in for etcd3's own watcher. That one reports a lost connection once and drops its watches,
swallows refusals, and never notices a silent member (docs/research/etcd.md section 2, rows 1-4).
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from catalog.entries import Batch, Entry, Event
from catalog.errors import Compacted, Unavailable
from catalog.etcd.connection import CallFailed, Connection
from catalog.etcd.library import etcdrpc

# Of silence; well under it, etcd's own traffic of a busy prefix makes the question needless.
ASK_AFTER_S = 5.0
ANSWER_S = 1.5  # for each of two questions: a member that became silent is noticed after 8 s


class Watch:
    """An iterator of batches, after the revision `after_revision`, without gap or repetition.

    Raises Unavailable when the watch is lost, and Compacted when its start is gone from the
    history. Ends silently after `cancel`, which may come from any thread, and when its store is
    closed. Iterate it in one thread.
    """

    def __init__(
        self,
        connection: Connection,
        prefix: str,
        after_revision: int,
        *,
        closed: threading.Event,
        on_lost: Callable[[Connection], None],
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._revision = after_revision
        self._closed = closed
        self._on_lost = on_lost
        self._pending: list[Any] = []  # the fragments of a response so far
        self._cancelled = threading.Event()
        self._over = threading.Event()
        # None while the caller is at work: only the server can be late.
        self._reading_since: float | None = None
        self._alive_at = 0.0  # when another call has shown that a silent member lives
        self._is_silent = False

        try:
            self._stream = connection.watch(self._requests())
        except CallFailed as failure:
            raise self._lost(str(failure)) from failure
        self._stream.when_over(self._over.set)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        while not self._is_ended():
            response = self._read()
            if response is None:
                break

            self._check(response)
            batch = self._batch(response)
            if batch is not None:
                return batch

        raise StopIteration

    def cancel(self) -> None:
        """End the iteration, at once if it waits."""
        self._cancelled.set()
        self._over.set()
        self._stream.cancel()

    def _is_ended(self) -> bool:
        return self._cancelled.is_set() or self._closed.is_set()

    def _read(self) -> Any:
        """Return the next response, or None when this side has ended the watch."""
        self._reading_since = time.monotonic()
        try:
            return next(self._stream)
        except StopIteration:
            raise self._lost("etcd ended the stream") from None
        except CallFailed as failure:
            if self._is_ended():
                return None

            silence = f"no answer for {ASK_AFTER_S + 2 * ANSWER_S:g} s"
            raise self._lost(silence if self._is_silent else str(failure)) from failure
        finally:
            self._reading_since = None

    def _check(self, response: Any) -> None:
        if response.compact_revision:
            self.cancel()
            start = f"watch of {self._prefix!r} from revision {self._revision + 1}"
            raise Compacted(
                f"{start} on {self._connection.member}: "
                f"the history begins at {response.compact_revision}"
            )

        # Also together with `created`: so does etcd refuse.
        if response.canceled:
            raise self._lost(f"etcd refused: {response.cancel_reason or 'no reason given'}")

    def _lost(self, why: str) -> Unavailable:
        self._cancelled.set()  # a further iteration finds the end
        self._over.set()
        self._on_lost(self._connection)
        return Unavailable(f"watch of {self._prefix!r} on {self._connection.member}: {why}")

    def _batch(self, response: Any) -> Batch | None:
        """Return the new events, once all fragments of the response are here."""
        # Created, or the answer to a progress request: no end of the fragments.
        if not response.events:
            return None

        self._pending.extend(response.events)
        if response.fragment:
            return None

        # etcd < 3.4.25 and < 3.5.8 may repeat events, or go back in time after a snapshot
        # (docs/research/etcd.md section 3).
        events = tuple(
            _event(event) for event in self._pending if event.kv.mod_revision > self._revision
        )
        self._pending.clear()
        if not events:
            return None

        self._revision = max(event.revision for event in events)
        return Batch(self._revision, events)

    def _requests(self) -> Iterator[Any]:
        """Yield the watch, then a question after every silence. Runs in a thread of grpc."""
        key, range_end = range_of(self._prefix)
        yield etcdrpc.WatchRequest(
            create_request=etcdrpc.WatchCreateRequest(
                key=key, range_end=range_end, start_revision=self._revision + 1, fragment=True
            )
        )

        while not self._over.wait(ASK_AFTER_S - self._silence_s()):
            if self._silence_s() < ASK_AFTER_S:
                continue

            asked_in = self._reading_since
            yield etcdrpc.WatchRequest(progress_request=etcdrpc.WatchProgressRequest())
            if self._over.wait(ANSWER_S) or self._reading_since != asked_in:
                continue

            if self._is_member_alive():
                self._alive_at = time.monotonic()
            else:
                self._is_silent = True
                self._stream.cancel()

    def _silence_s(self) -> float:
        since = self._reading_since
        return 0.0 if since is None else time.monotonic() - max(since, self._alive_at)

    def _is_member_alive(self) -> bool:
        # etcd 3.4.25-3.4.30 and 3.5.8-3.5.12 do not answer the progress request of a watch without
        # events (etcd issue 17507). A member that answers a linearizable read still has the watch.
        try:
            self._connection.prove(deadline_s=ANSWER_S)
        except CallFailed as failure:
            # A stale token ends no watch.
            return failure.code in ("UNAUTHENTICATED", "INVALID_ARGUMENT")
        return True


def range_of(prefix: str) -> tuple[bytes, bytes]:
    """Return etcd's key and range_end for all keys that start with the prefix.

    The empty prefix means all keys.
    """
    key = prefix.encode()
    if not key:
        return b"\0", b"\0"  # rpc.proto, RangeRequest.range_end: both \0 is every key

    return key, key[:-1] + bytes([key[-1] + 1])  # no byte of UTF-8 is 0xff


def entry_of(key_value: Any) -> Entry:
    """Return what etcd holds for one key."""
    return Entry(
        key_value.key.decode(errors="backslashreplace"),
        key_value.value,
        key_value.create_revision,
        key_value.mod_revision,
        key_value.lease,
    )


def _event(event: Any) -> Event:
    entry = entry_of(event.kv)
    is_deleted = event.type == etcdrpc.Event.DELETE
    return Event(entry.key, None if is_deleted else entry, entry.mod_revision)
