"""The store on a server that plays by a script: what an etcd says too rarely, or only in versions
not at hand.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from catalog.access import Access, parse_members
from catalog.errors import Unavailable
from catalog.etcd.library import etcdrpc, grpc
from catalog.etcd.watch import ANSWER_S, ASK_AFTER_S
from catalog.store import Store
from tests.parts.store import Reader, wait_until

END = object()


class Script:
    """A server with one watch: `say` sends, `heard` holds what the client sent; `range` answers
    every Range.
    """

    def __init__(self) -> None:
        self.say: queue.Queue[Any] = queue.Queue()
        self.heard: queue.Queue[Any] = queue.Queue()
        self.metadata: list[dict[str, str]] = []
        self.range: Callable[[Any, Any], Any] = lambda _request, _context: etcdrpc.RangeResponse()
        self._pool = ThreadPoolExecutor(8)
        self._server = grpc.server(self._pool)
        for service, method, handler in (
            (
                "KV",
                "Range",
                self._handler(grpc.unary_unary_rpc_method_handler, "Range", self._range),
            ),
            (
                "Watch",
                "Watch",
                self._handler(grpc.stream_stream_rpc_method_handler, "Watch", self._watch),
            ),
        ):
            generic = grpc.method_handlers_generic_handler(
                f"etcdserverpb.{service}", {method: handler}
            )
            self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self.say.put(END)
        self._server.stop(0).wait(5)
        self._pool.shutdown()

    def _handler(self, kind: Any, name: str, method: Any) -> Any:
        request, response = getattr(etcdrpc, f"{name}Request"), getattr(etcdrpc, f"{name}Response")
        return kind(
            method,
            request_deserializer=request.FromString,
            response_serializer=response.SerializeToString,
        )

    def _range(self, request: Any, context: Any) -> Any:
        self.metadata.append(dict(context.invocation_metadata()))
        return self.range(request, context)

    def _watch(self, requests: Any, context: Any) -> Iterator[Any]:
        self.metadata.append(dict(context.invocation_metadata()))
        threading.Thread(target=self._listen, args=(requests,)).start()
        yield from iter(self.say.get, END)

    def _listen(self, requests: Any) -> None:
        try:
            for request in requests:
                self.heard.put(request)
        except grpc.RpcError:  # the client is gone
            self.say.put(END)


@pytest.fixture
def script() -> Iterator[Script]:
    running = Script()
    yield running
    running.close()


@pytest.fixture
def store(script: Script) -> Iterator[Store]:
    opened = Store(Access(parse_members(f"127.0.0.1:{script.port}")), page=2)
    yield opened
    opened.close()


def response(*events: tuple[str, int], header: int = 0, **fields: Any) -> Any:
    return etcdrpc.WatchResponse(
        header=etcdrpc.ResponseHeader(revision=header),
        events=[
            etcdrpc.Event(kv=etcdrpc.KeyValue(key=key.encode(), mod_revision=rev))
            for key, rev in events
        ],
        **fields,
    )


def refuse(code: Any, details: str) -> Callable[[Any, Any], Any]:
    return lambda _request, context: context.abort(code, details)


# Watching


def test_fragments_are_one_batch(script: Script, store: Store) -> None:
    with Reader(store.watch("/", 4)) as reader:
        script.say.put(response(created=True))
        script.say.put(response(("/a", 5), fragment=True))
        script.say.put(response(("/b", 5), fragment=True))
        script.say.put(response(watch_id=-1))  # the answer to a progress request
        script.say.put(response(("/c", 6)))

        batch = reader.batch()

    assert [(event.key, event.revision) for event in batch.events] == [
        ("/a", 5),
        ("/b", 5),
        ("/c", 6),
    ]
    assert batch.revision == 6


def test_events_that_come_again_or_too_late_are_dropped(script: Script, store: Store) -> None:
    with Reader(store.watch("/", 4)) as reader:
        script.say.put(response(("/old", 4), ("/a", 5), ("/b", 5)))
        script.say.put(response(("/a", 5), ("/b", 5)))
        script.say.put(response(("/b", 5), ("/c", 6)))

        assert [event.key for event in reader.events(3)] == ["/a", "/b", "/c"]


def test_revision_is_that_of_the_events_not_of_the_header(script: Script, store: Store) -> None:
    with Reader(store.watch("/", 4)) as reader:
        script.say.put(response(("/a", 5), header=3000))

        assert reader.batch().revision == 5


def test_watch_asks_for_what_comes_after_the_revision(script: Script, store: Store) -> None:
    with Reader(store.watch("/p/", 4)):
        create = script.heard.get(timeout=5).create_request

    assert (create.key, create.range_end, create.start_revision) == (b"/p/", b"/p0", 5)
    assert create.fragment
    assert not create.prev_kv


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (response(created=True, canceled=True, cancel_reason="no right"), "etcd refused: no right"),
        (response(canceled=True), "etcd refused: no reason given"),
        (END, "etcd ended the stream"),
    ],
)
def test_watch_that_etcd_ends_is_lost(script: Script, store: Store, said: Any, seen: str) -> None:
    watch = store.watch("/", 4)
    script.say.put(said)

    with pytest.raises(Unavailable, match=seen):
        next(watch)

    assert list(watch) == []


def test_unanswered_question_is_no_loss_while_the_member_answers_reads(
    script: Script, store: Store
) -> None:
    # etcd 3.4.25-3.4.30 and 3.5.8-3.5.12: issue 17507
    with Reader(store.watch("/", 4)) as reader:
        script.heard.get(timeout=5)
        assert script.heard.get(timeout=ASK_AFTER_S + 1).HasField("progress_request")
        wait_until(
            lambda: len(script.metadata) == 3
        )  # the race, the watch, and now a read in place of the answer

        script.say.put(response(("/a", 5)))
        assert reader.batch().revision == 5


def test_member_that_answers_nothing_is_lost(script: Script, store: Store) -> None:
    watch = store.watch("/", 4)
    hung = threading.Event()
    script.range = lambda _request, _context: hung.wait(30) and None

    with Reader(watch) as reader:
        assert reader.ends_within(ASK_AFTER_S + 2 * ANSWER_S + 1)
        hung.set()

    assert isinstance(reader.error, Unavailable)
    assert "no answer for 8 s" in str(reader.error)


# Calling


def test_every_call_asks_for_a_member_with_a_leader(script: Script, store: Store) -> None:
    store.list("/")
    with Reader(store.watch("/", 4)):
        script.heard.get(timeout=5)

    assert len(script.metadata) == 3  # the race, the list, the watch
    assert all(metadata["hasleader"] == "true" for metadata in script.metadata)


@pytest.mark.parametrize(
    "code", ["UNKNOWN", "INTERNAL", "RESOURCE_EXHAUSTED", "ABORTED", "UNIMPLEMENTED"]
)
def test_whatever_else_etcd_answers_is_unavailable(script: Script, store: Store, code: str) -> None:
    store.get("/a")
    script.range = refuse(grpc.StatusCode[code], "etcdserver: not a primary lessor")

    with pytest.raises(
        Unavailable, match=rf"get '/a' on 127.0.0.1:\d+: {code}: etcdserver: not a primary lessor"
    ):
        store.get("/a")


def test_list_begins_again_when_its_revision_was_compacted(script: Script, store: Store) -> None:
    script.range = compacting(times=2)

    listing = store.list("/")

    assert [entry.key for entry in listing.entries] == ["/1", "/2", "/3"]
    assert listing.revision == 13


def test_list_that_is_always_overtaken_by_compaction_is_unavailable(
    script: Script, store: Store
) -> None:
    script.range = compacting(times=3)

    with pytest.raises(Unavailable, match="compacted, 3 times in a row"):
        store.list("/")


def compacting(times: int) -> Callable[[Any, Any], Any]:
    """Three keys in pages of two; the second page is compacted away so many times."""
    lists = 0

    def answer(request: Any, context: Any) -> Any:
        nonlocal lists
        if request.count_only:
            return etcdrpc.RangeResponse()
        if not request.revision:
            lists += 1
            keys = [etcdrpc.KeyValue(key=b"/1"), etcdrpc.KeyValue(key=b"/2")]
            header = etcdrpc.ResponseHeader(revision=10 + lists)
            return etcdrpc.RangeResponse(header=header, kvs=keys, more=True)
        if lists <= times:
            context.abort(
                grpc.StatusCode.OUT_OF_RANGE,
                "etcdserver: mvcc: required revision has been compacted",
            )
        assert (request.key, request.revision) == (b"/2\0", 10 + lists)
        return etcdrpc.RangeResponse(kvs=[etcdrpc.KeyValue(key=b"/3")])

    return answer
