"""The ring is read while somebody asks, and no longer."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

from catalog.asking.ask import TAP, Ask
from catalog.asking.inbox import Standing
from discover.apply.running import Running
from discover.calls.tap import NO_RING, Taps
from discover.model.proxy_config import Process, ProxyConfig
from discover.model.spare_backends import spare_backend
from sidecar.actors import Actor
from tests.parts.wait import wait_for

PROCESS = Process(None, "/run/admin.sock", 100, None, None)
LISTENER = replace(spare_backend(1), name="orders:80", service="orders", port=80)


def line(**others: object) -> bytes:
    call = {"time": "2026-11-27T01:02:03.004Z", "service": "orders:80", "end": "--"} | others
    return json.dumps(call, separators=(",", ":")).encode()


class Ring:
    """Lines for a reader, who can be counted."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = lines
        self.readers = 0
        self.kept: list[bool] = []
        config = ProxyConfig(PROCESS, (LISTENER,))
        self.taps = Taps(lambda: Running(config=config), self.read, self.kept.append)

    def read(self, *, from_now: bool) -> Iterator[bytes]:
        assert from_now
        self.readers += 1
        lines, self.lines = self.lines, ()
        yield from lines
        while True:
            yield b""

    def __enter__(self) -> Taps:
        self._actor: Actor = self.taps.actor()
        self._thread = threading.Thread(target=self._actor.run)
        self._thread.start()
        return self.taps

    def __exit__(self, *_: object) -> None:
        self._actor.interrupt()
        self._thread.join(5)
        assert not self._thread.is_alive()


def asked(id_: str = "1", what: str = "orders", **arguments: str) -> Standing:
    return Standing(id_, Ask(TAP, what, every_ms=500, arguments=arguments), 1, 1)


def codes_of(taps: Taps, question: Standing, enough: int) -> list[str]:
    """Ask until there were so many calls, each batch of which counts once."""
    batches: dict[object, list[str]] = {}

    def all_codes() -> list[str]:
        answer = taps.answer(question).answer
        batches[answer.facts["batch"]] = [row["code"] for row in answer.rows]
        return [code for codes in batches.values() for code in codes]

    wait_for(lambda: len(all_codes()) >= enough, 5, f"{enough} calls")
    return all_codes()


def test_nobody_asks_and_nobody_reads() -> None:
    ring = Ring(line())
    with ring:
        pass
    assert (ring.readers, ring.kept) == (0, [])


def test_calls_come_to_those_who_ask_for_them() -> None:
    ring = Ring(line(), b"Server orders:80/slot-1 is DOWN", line(service="pets:80"), line(end="SC"))
    with ring as taps:
        codes = codes_of(taps, asked(), 2)
        first = taps.answer(asked("2", errors="only")).answer

    assert codes == ["--", "SC"]
    assert first.rows == ()
    assert ring.kept == [True]


def test_who_wants_errors_alone_costs_no_reload() -> None:
    ring = Ring(line(), line(end="SC"))
    with ring as taps:
        assert codes_of(taps, asked(errors="only"), 1) == ["SC"]
    assert ring.kept == []


def test_a_template_without_a_ring_is_told() -> None:
    ring = Ring(NO_RING)
    with ring as taps:
        answer = taps.answer(asked()).answer
        assert (answer.status, answer.rows) == ("failed", ())
        wait_for(lambda: "block calls" in taps.answer(asked()).answer.text, 5, "it says why")
