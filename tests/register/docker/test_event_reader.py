"""From which moment on events are asked for, and which of them are news."""

import itertools
import time
from collections.abc import Iterator, Sequence

import pytest

from register.docker.event_reader import EventReader
from register.docker.hints import LOOK_BACK_NS, DockerEvent
from sidecar.status.health import Health

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS


class FakeStream:
    """What the engine has to say, and then nothing until it is closed."""

    def __init__(self, events: Sequence[DockerEvent], reader: "FakeEngine") -> None:
        self._events = events
        self._engine = reader
        self.discarded = False

    def __iter__(self) -> Iterator[DockerEvent]:
        yield from self._events
        self._engine.read()

    def close(self) -> None:
        pass

    def discard(self) -> None:
        self.discarded = True


class FakeEngine:
    """An engine that remembers some events, and tells a clock."""

    def __init__(self, clock_ns: int | None) -> None:
        self.clock_ns = clock_ns
        self.remembered: list[DockerEvent] = []
        self.asked: list[int] = []
        self.reader = EventReader(self, Health(stuck_after_s=60), self._woken)  # type: ignore[arg-type]
        self.woken: list[str] = []

    def _woken(self, action: str) -> None:
        self.woken.append(action)

    def events(self, since_ns: int) -> FakeStream:
        self.asked.append(since_ns)
        return FakeStream(tuple(self._remembered_since(since_ns)), self)

    def _remembered_since(self, since_ns: int) -> Iterator[DockerEvent]:
        """As Docker does: from the newest back to the first one that is too old."""
        newest_first = reversed(self.remembered)
        found = itertools.takewhile(lambda event: event.time_ns >= since_ns, newest_first)
        return reversed(list(found))

    def read(self) -> None:
        self.reader.interrupt()

    def connect(self) -> None:
        """Let the reader read all that there is, and stop."""
        self.reader._stop.clear()
        self.reader.run()


def event(action: str, time_ns: int) -> DockerEvent:
    return DockerEvent("a", action, "15" if action == "kill" else "", time_ns)


@pytest.fixture
def now_ns() -> int:
    return time.time_ns() // SECOND_NS * SECOND_NS


def test_at_first_a_minute_is_asked_for(now_ns: int) -> None:
    engine = FakeEngine(now_ns)

    engine.connect()

    (asked,) = engine.asked
    assert abs(asked - (now_ns - LOOK_BACK_NS)) < 5 * SECOND_NS


def test_a_minute_of_the_engines_own_clock(now_ns: int) -> None:
    engine = FakeEngine(now_ns - HOUR_NS)
    engine.remembered = [event("kill", now_ns - HOUR_NS - 30 * SECOND_NS)]

    engine.connect()

    assert engine.asked[-1] == now_ns - HOUR_NS - LOOK_BACK_NS
    assert engine.reader.hints.of("a").signals


def test_an_engine_that_tells_no_clock_is_believed_to_have_ours(now_ns: int) -> None:
    engine = FakeEngine(None)

    engine.connect()

    assert len(engine.asked) == 1


def test_only_what_is_newer_than_the_last_event_is_asked_for(now_ns: int) -> None:
    engine = FakeEngine(now_ns)
    engine.remembered = [event("pause", now_ns - 2), event("unpause", now_ns - 1)]
    engine.connect()

    engine.connect()

    assert engine.asked[1:] == [now_ns]


def test_what_was_told_after_the_clock_was_put_back_is_read_and_nothing_twice(now_ns: int) -> None:
    engine = FakeEngine(now_ns)
    engine.remembered = [event("start", now_ns - 9), event("pause", now_ns - 5)]
    engine.connect()
    engine.clock_ns = now_ns - HOUR_NS
    engine.remembered += [event("unpause", now_ns - HOUR_NS), event("kill", now_ns - HOUR_NS + 1)]

    engine.connect()

    assert engine.woken == ["subscribed", "start", "pause", "subscribed", "unpause", "kill"]
    assert engine.reader.hints.last_ns == now_ns - HOUR_NS + 1


def test_what_started_is_told_once(now_ns: int) -> None:
    engine = FakeEngine(now_ns)
    engine.remembered = [event("pause", now_ns - 9), event("start", now_ns - 5)]
    engine.connect()

    assert engine.reader.take_started() == {"a"}
    assert engine.reader.take_started() == frozenset()


def test_the_next_stream_goes_on_where_the_put_back_clock_was(now_ns: int) -> None:
    engine = FakeEngine(now_ns)
    engine.remembered = [event("pause", now_ns), event("unpause", now_ns - HOUR_NS)]
    engine.clock_ns = now_ns - HOUR_NS + SECOND_NS
    engine.connect()

    engine.connect()

    assert engine.asked[-1] == now_ns - HOUR_NS + 1
