"""The only door to etcd: lists, watches, fenced writes, leases. Knows no meaning of keys or values.

Every call has a deadline and no retry. It fails as one of four: Unavailable (transport, deadline,
no leader, no right: back off, the next call finds a member again), Conflict, Compacted, or
ValueError for a request that no etcd would ever take.
"""

from collections.abc import Callable, Sequence
from typing import Any

from catalog.access import Access
from catalog.entries import Batch, Delete, Entry, Event, Fence, Listing, Put, Ttl, Unchanged
from catalog.errors import Compacted, Conflict, Full, Refused, Unavailable
from catalog.etcd.connection import CallFailed, Connection, Connector
from catalog.etcd.library import etcdrpc
from catalog.etcd.watch import Watch, entry_of, range_of

__all__ = [
    "CHANGES_MAX",
    "Batch",
    "Delete",
    "Entry",
    "Event",
    "Fence",
    "Listing",
    "Put",
    "Store",
    "Ttl",
    "Unchanged",
    "Watch",
]

# etcd takes 128 operations and 128 compares in a transaction (--max-txn-ops); one is the fence.
CHANGES_MAX = 127
PAGE = 5000  # entries; a quarter less memory than one answer for 50,000 keys, and no slower
LISTINGS_MAX = 3  # tries, each of which lost its revision to a compaction between two pages

# How etcd answers mistakes that only we can have made: its rpctypes/error.go.
_BUGS = (
    "too many operations in txn request",
    "duplicate key given in txn request",
    "key is not provided",
    "request is too large",
    "too large lease TTL",
)


class Store:
    """A connection to etcd, made at the first call and again after each Unavailable.

    Use it from one thread; only `close` and `Watch.cancel` may come from any other, at any time.
    """

    def __init__(self, access: Access, *, deadline_s: float = 3.0, page: int = PAGE) -> None:
        self._connector = Connector(access, deadline_s)
        self._connection: Connection | None = None
        self._page = page

    def list(self, prefix: str, *, values: bool = True, revision: int = 0) -> Listing:
        """Return all entries under a prefix, linearizable. Without `values` they are empty.

        With a revision they are as they were then; raises Compacted if etcd has forgotten that.
        """
        if revision:
            return self._list(prefix, values, revision)

        for _ in range(LISTINGS_MAX - 1):
            try:
                return self._list(prefix, values)
            except Compacted:
                continue

        try:
            return self._list(prefix, values)
        except Compacted as error:
            raise Unavailable(f"{error}, {LISTINGS_MAX} times in a row") from error

    def get(self, key: str) -> Entry | None:
        """Return what is stored for one key, linearizable."""
        request = etcdrpc.RangeRequest(key=key.encode())
        answer = self._range(f"get {key!r}", request)
        return entry_of(answer.kvs[0]) if answer.kvs else None

    def watch(self, prefix: str, after_revision: int) -> Watch:
        """Return the changes under a prefix that come after a revision."""
        return Watch(
            self._connected(),
            prefix,
            after_revision,
            closed=self._connector.closed,
            on_lost=self._drop,
        )

    def write(
        self, changes: Sequence[Put | Delete], *, lease: int, fence: Fence | Unchanged | None = None
    ) -> int:
        """Make all changes in one transaction and return its revision.

        With lease 0 the keys stay for good. Raises Conflict, and writes nothing, if the lease is
        gone or if a key or the fence has another revision than expected. After Unavailable the
        changes may have been made or may be made later: list, then decide.
        """
        _check(changes)
        expected = [(change.key, change.expected) for change in changes]
        if isinstance(fence, Fence):
            expected.append((fence.key, fence.mod_revision))

        compares = [_compare(key, revision) for key, revision in expected]
        if isinstance(fence, Unchanged):
            compares.append(_none_after(fence))

        request = etcdrpc.TxnRequest(
            compare=compares,
            success=[_operation(change, lease) for change in changes],
            # What is there instead: the message of a conflict has it.
            failure=[_look(key) for key, _ in expected],
        )
        what = f"write {len(changes)} changes"
        answer = self._ask(what, lambda etcd: etcd.call(etcd.kv.Txn, request), lease=lease)

        if not answer.succeeded:
            why = _difference(expected, answer.responses)
            if not why and isinstance(fence, Unchanged):
                why = f"{fence.prefix} was written after revision {fence.revision}"
            raise Conflict(f"{what}: {why}")
        return int(answer.header.revision)

    def grant(self, ttl_s: int) -> int:
        """Return a new lease. etcd may grant a longer TTL: at least 2 s with default settings."""
        request = etcdrpc.LeaseGrantRequest(TTL=ttl_s)
        answer = self._ask("grant a lease", lambda etcd: etcd.call(etcd.lease.LeaseGrant, request))
        return int(answer.ID)

    def keep_alive(self, lease: int) -> int:
        """Renew a lease once and return its TTL in seconds; 0: the lease is gone."""
        return int(self._ask(f"keep lease {lease:x} alive", lambda etcd: etcd.keep_alive(lease)))

    def time_to_live(self, lease: int) -> Ttl | None:
        """Return how long a lease still lives; None: it is gone."""
        request = etcdrpc.LeaseTimeToLiveRequest(ID=lease)
        what = f"look up lease {lease:x}"
        answer = self._ask(what, lambda etcd: etcd.call(etcd.lease.LeaseTimeToLive, request))

        # rpc.proto, LeaseTimeToLiveResponse: -1 for a lease that does not exist
        return Ttl(answer.TTL, answer.grantedTTL) if answer.TTL >= 0 else None

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys; one that is gone already is no error."""
        request = etcdrpc.LeaseRevokeRequest(ID=lease)
        what = f"revoke lease {lease:x}"
        try:
            self._ask(what, lambda etcd: etcd.call(etcd.lease.LeaseRevoke, request), lease=lease)
        except Conflict:
            return

    def close(self) -> None:
        """End everything that waits, from any thread and for good.

        Calls raise Unavailable, watches end.
        """
        self._connector.close()

    def _list(self, prefix: str, values: bool, revision: int = 0) -> Listing:
        key, range_end = range_of(prefix)
        # 0 is the newest; the first page says which that is.
        entries: list[Entry] = []
        while True:
            request = etcdrpc.RangeRequest(
                key=key,
                range_end=range_end,
                limit=self._page,
                revision=revision,
                keys_only=not values,
            )
            answer = self._range(f"list {prefix!r}", request)
            revision = revision or answer.header.revision
            entries.extend(entry_of(key_value) for key_value in answer.kvs)

            if not answer.more:
                return Listing(answer.header.cluster_id, revision, tuple(entries))
            key = answer.kvs[-1].key + b"\0"

    def _range(self, what: str, request: Any) -> Any:
        return self._ask(what, lambda etcd: etcd.call(etcd.kv.Range, request))

    def _ask(self, what: str, question: Callable[[Connection], Any], *, lease: int = 0) -> Any:
        """Return a member's answer, after a new login if it no longer knows the token."""
        connection = self._connected()
        try:
            try:
                return question(connection)
            except CallFailed as failure:
                if not failure.is_stale_token:
                    raise
                connection.log_in()
                return question(connection)
        except CallFailed as failure:
            raise self._error(what, connection, failure, lease) from failure

    def _error(
        self, what: str, connection: Connection, failure: CallFailed, lease: int
    ) -> Exception:
        """Return the kind of error that tells the caller what to do."""
        message = f"{what} on {connection.member}: {failure}"
        if failure.code == "NOT_FOUND" and lease:
            return Conflict(f"{what}: lease {lease:x} is gone")
        if "required revision has been compacted" in failure.details:
            return Compacted(message)
        if any(bug in failure.details for bug in _BUGS):
            return ValueError(message)
        if "database space exceeded" in failure.details:
            return Full(f"{message}; compact and defragment it, then disarm its alarm")

        self._drop(connection)
        if self._connector.closed.is_set():
            return Unavailable("the store was closed")
        return Refused(message) if failure.is_refusal else Unavailable(message)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connector.connect()
        return self._connection

    def _drop(self, connection: Connection) -> None:
        self._connector.drop(connection)
        if self._connection is connection:
            self._connection = None


def _check(changes: Sequence[Put | Delete]) -> None:
    if not 1 <= len(changes) <= CHANGES_MAX:
        raise ValueError(f"{len(changes)} changes in one write: 1 to {CHANGES_MAX} are possible")
    if len({change.key for change in changes}) != len(changes):
        raise ValueError("two changes of one key in one write")


def _compare(key: str, mod_revision: int) -> Any:
    # A key that does not exist has mod_revision 0, as etcd compares it.
    compare = etcdrpc.Compare
    return compare(
        result=compare.EQUAL, target=compare.MOD, key=key.encode(), mod_revision=mod_revision
    )


def _none_after(fence: Unchanged) -> Any:
    # A compare with range_end holds if it holds for every key in the range
    # (rpc.proto, Compare; etcd >= 3.3).
    key, range_end = range_of(fence.prefix)
    compare = etcdrpc.Compare
    return compare(
        result=compare.LESS,
        target=compare.MOD,
        key=key,
        range_end=range_end,
        mod_revision=fence.revision + 1,
    )


def _operation(change: Put | Delete, lease: int) -> Any:
    key = change.key.encode()
    if isinstance(change, Delete):
        return etcdrpc.RequestOp(request_delete_range=etcdrpc.DeleteRangeRequest(key=key))

    put = etcdrpc.PutRequest(key=key, value=change.value, lease=lease)
    return etcdrpc.RequestOp(request_put=put)


def _look(key: str) -> Any:
    return etcdrpc.RequestOp(request_range=etcdrpc.RangeRequest(key=key.encode(), keys_only=True))


def _difference(expected: Sequence[tuple[str, int]], looks: Sequence[Any]) -> str:
    """Return which keys have another revision than expected; empty if none has."""
    found = []
    for (key, revision), look in zip(expected, looks, strict=True):
        key_values = look.response_range.kvs
        actual = key_values[0].mod_revision if key_values else 0
        if actual != revision:
            found.append(f"{key} has mod_revision {actual}, expected {revision}")
    return "; ".join(found)
