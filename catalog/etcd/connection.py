"""One connection to one member of etcd, and the race that picks it.

Knows no meaning of keys, and does not retry.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NoReturn

from catalog.access import Access, Member
from catalog.errors import Refused, Unavailable
from catalog.etcd.library import etcd3, etcdrpc, grpc

# With it a member without a leader refuses at once; without it, its watches are silent for ever.
_HAS_LEADER = ("hasleader", "true")
_HEALTH_KEY = b"health"  # the key that etcdctl's own health check asks for; it need not exist

# Measured in docs/research/etcd.md section 2, "Channel options that matter".
_OPTIONS = (
    # etcd answers pings more often than every 5 s with GOAWAY.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 0),
    # A watch that catches up may bring 15 MB in one response.
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Or http_proxy in the environment takes every call.
    ("grpc.enable_http_proxy", 0),
    # Or all stores share one TCP connection, with keepalives behind bulk.
    ("grpc.use_local_subchannel_pool", 1),
)
_PING_MS = 3_000
_CONNECT_MS = 2_000

_REFUSALS = (
    "authentication failed, invalid user ID or password",
    "user name is empty",
    "permission denied",
)
_STALE_TOKENS = ("invalid auth token", "revision of auth store is old")


def _options(deadline_s: float) -> tuple[tuple[str, int], ...]:
    """Return the channel's options: a call that may wait longer must not be cut off before."""
    deadline_ms = round(deadline_s * 1000)
    is_long = deadline_ms > _PING_MS
    ping_ms = deadline_ms if is_long else _PING_MS
    connect_ms = deadline_ms if is_long else _CONNECT_MS

    return (
        *_OPTIONS,
        ("grpc.keepalive_timeout_ms", ping_ms),
        # grpc >= 1.60: without it a stopped etcd is noticed after 62 s.
        ("grpc.http2.ping_timeout_ms", ping_ms),
        # Also how long one attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", connect_ms),
    )


class CallFailed(Exception):
    """A call that etcd or the transport refused.

    `code` is the name of grpc's status code, `details` are the server's own words.
    """

    def __init__(self, code: str, details: str) -> None:
        super().__init__(f"{code}: {details}")
        self.code = code
        self.details = details

    @property
    def is_stale_token(self) -> bool:
        """Whether a new login may help.

        A token dies with the member that gave it, and when users or roles change.
        """
        return any(words in self.details for words in _STALE_TOKENS)

    @property
    def is_refusal(self) -> bool:
        """Whether etcd refused our rights or password (rpctypes/error.go)."""
        if self.code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
            return True

        return any(words in self.details for words in _REFUSALS)


class Stream:
    """An open call with many answers; iterate it in one thread, cancel it from any."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            _raise_failed(error)

    def cancel(self) -> None:
        """End the call; an iteration that waits fails with CANCELLED."""
        self._call.cancel()

    def when_over(self, action: Callable[[], None]) -> None:
        """Call `action` once the call has ended, however it did; at once if it has."""
        if not self._call.add_callback(action):
            action()


class Connection:
    """One channel to one member.

    `close` may come from any thread, also while a call waits; all calls then fail.
    """

    def __init__(self, access: Access, member: Member, deadline_s: float) -> None:
        self.member = member
        self._access = access
        self._deadline_s = deadline_s
        self._client = _Client(access, member, deadline_s)
        self._metadata: tuple[tuple[str, str], ...] = (_HAS_LEADER,)
        self.kv: Any = self._client.kvstub
        self.lease: Any = self._client.leasestub
        self._auth: Any = etcdrpc.AuthStub(self._client.channel)
        self._watch: Any = etcdrpc.WatchStub(self._client.channel)

    def call(self, method: Any, request: Any, *, deadline_s: float | None = None) -> Any:
        """Return the answer to one request. Raises CallFailed."""
        try:
            return method(request, timeout=deadline_s or self._deadline_s, metadata=self._metadata)
        except grpc.RpcError as error:
            _raise_failed(error)
        except ValueError as error:
            # grpc raises it if the channel was closed before the call began.
            raise CallFailed("CANCELLED", str(error)) from error

    def stub(self, kind: Any) -> Any:
        """Return a stub of another of etcd's services, by its class, for `call`."""
        return kind(self._client.channel)

    def keep_alive(self, lease: int) -> int:
        """Return the TTL that one keepalive gave the lease, in seconds. Raises CallFailed."""
        requests = iter([etcdrpc.LeaseKeepAliveRequest(ID=lease)])
        stream = Stream(self.call(self.lease.LeaseKeepAlive, requests))
        for answer in stream:
            stream.cancel()
            return int(answer.TTL)

        raise CallFailed("UNAVAILABLE", "the stream ended without an answer")

    def watch(self, requests: Iterator[Any]) -> Stream:
        """Return the answers to a stream of watch requests, without a deadline.

        Raises CallFailed.
        """
        try:
            return Stream(self._watch.Watch(requests, metadata=self._metadata))
        except ValueError as error:
            raise CallFailed("CANCELLED", str(error)) from error

    def log_in(self) -> None:
        """Get a new token, if there is a user. Raises CallFailed."""
        if self._access.user is None:
            return

        user = self._access.user
        request = etcdrpc.AuthenticateRequest(name=user, password=self._access.password)
        self._metadata = (_HAS_LEADER,)
        try:
            token = self.call(self._auth.Authenticate, request).token
        except CallFailed as failure:
            # An etcd without authentication needs no token: etcdctl's rule.
            if "authentication is not enabled" not in failure.details:
                raise
        else:
            self._metadata = (_HAS_LEADER, ("token", token))

    def prove(self, *, deadline_s: float | None = None) -> None:
        """Return once the member has answered a linearizable read: it has a leader and a quorum.

        Raises CallFailed.
        """
        request = etcdrpc.RangeRequest(key=_HEALTH_KEY, count_only=True)
        try:
            self.call(self.kv.Range, request, deadline_s=deadline_s)
        except CallFailed as failure:
            # etcd checks rights after it knows the read index: a refusal proves as much.
            if failure.code != "PERMISSION_DENIED":
                raise

    def close(self) -> None:
        """Close the channel."""
        self._client.close()


class Connector:
    """Finds a member that answers.

    Knows every open connection, so that `close` can end them all from any thread.
    """

    def __init__(self, access: Access, deadline_s: float) -> None:
        self._access = access
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._open: set[Connection] = set()
        self.closed = threading.Event()

    def connect(self) -> Connection:
        """Return a proven connection: all members race, and the first good answer wins.

        Raises Unavailable.
        """
        candidates: list[Connection] = []
        try:
            candidates.extend(map(self._new, self._access.members))
            return _first_to_answer(candidates, self.drop)
        except BaseException:
            for candidate in candidates:
                self.drop(candidate)
            raise

    def drop(self, connection: Connection) -> None:
        """Close a connection; harmless if it is closed."""
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close all connections for good: their calls fail, and `connect` raises Unavailable."""
        with self._lock:
            self.closed.set()
            connections = tuple(self._open)

        for connection in connections:
            self.drop(connection)

    def _new(self, member: Member) -> Connection:
        try:
            connection = Connection(self._access, member, self._deadline_s)
        except OSError as error:
            # Certificates are read for every connection: a changed file counts at once.
            raise Unavailable(f"cannot connect to etcd at {member}: {error}") from error

        with self._lock:
            is_closed = self.closed.is_set()
            if not is_closed:
                self._open.add(connection)

        if is_closed:
            connection.close()
            raise Unavailable("the store was closed")
        return connection


class _Client(etcd3.Etcd3Client):  # type: ignore[misc]  # etcd3 has no type information
    """etcd3's client without what fails in 0.12.0 (docs/research/etcd.md section 2, rows 6 and 8).

    It gets no user: grpc refuses its call credentials over plain text, so Connection logs in and
    sends the token itself. It falls back to plain text without a CA: here `Access.tls` decides, and
    without a CA grpc's own are used.
    """

    def __init__(self, access: Access, member: Member, deadline_s: float) -> None:
        # etcd3 itself joins host and port, without the brackets of IPv6.
        host = f"[{member.host}]" if ":" in member.host else member.host
        self._access = access
        super().__init__(
            host,
            member.port,
            ca_cert="" if access.tls else None,
            grpc_options=_options(deadline_s),
        )

    def _get_secure_creds(self, *_paths: str | None) -> Any:
        paths = (self._access.ca_cert, self._access.key, self._access.cert)
        ca_cert, key, cert = (path.read_bytes() if path is not None else None for path in paths)
        return grpc.ssl_channel_credentials(ca_cert, key, cert)


def _first_to_answer(
    candidates: Sequence[Connection], drop: Callable[[Connection], None]
) -> Connection:
    failures: list[CallFailed] = []
    seen: list[str] = []
    with ThreadPoolExecutor(len(candidates), thread_name_prefix="etcd-race") as pool:
        tries = {pool.submit(_enter, candidate): candidate for candidate in candidates}
        for done in as_completed(tries):
            candidate = tries[done]
            try:
                done.result()
            except CallFailed as failure:
                failures.append(failure)
                seen.append(f"{candidate.member}: {failure}")
            else:
                # Inside the pool: leaving it waits for its threads, which these calls end.
                for other in candidates:
                    if other is not candidate:
                        drop(other)
                return candidate

    message = f"no etcd member answers: {'; '.join(seen)}"
    if failures and all(failure.is_refusal for failure in failures):
        raise Refused(message)
    raise Unavailable(message)


def _enter(connection: Connection) -> None:
    connection.log_in()
    connection.prove()


def _raise_failed(error: Any) -> NoReturn:
    raise CallFailed(error.code().name, error.details() or "no details") from error
