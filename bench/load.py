"""Call a service from several processes at a steady rate, and sum up what became of the calls."""

import collections
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.caller import SILENCE_S, LostCall, SlowCall

KINDS = ("close", "keep")  # a connection for each call, or one for many calls


@dataclass(frozen=True, slots=True)
class _Process:
    """One caller, with new or kept connections."""

    kind: str
    popen: "subprocess.Popen[bytes]"

    @property
    def is_ready(self) -> bool:
        output = self.popen.stdout
        return output is not None and output.readline() == b"ready\n"


class Load:
    """Several callers, each a process, and the sums of their counts.

    `close` and `keep` are how many there are of each kind; `rate` is the calls a second of each
    caller; `prefix` is a command that runs each of them. A method's `kind` is `close` or `keep`;
    an empty one means both.
    """

    def __init__(
        self,
        address: str,
        port: int,
        service: str,
        *,
        close: int = 2,
        keep: int = 2,
        rate: float = 100,
        prefix: Sequence[str] = (),
    ) -> None:
        self.service = service
        self.seconds = 0.0
        self._counts: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        self._began = time.monotonic()

        # -S: a caller needs no packages, and starts sooner without them
        command = [*prefix, sys.executable, "-S", "-m", "bench.caller", address, str(port), service]
        kinds = ["close"] * close + ["keep"] * keep
        self._processes = [_started(command, kind, rate) for kind in kinds]
        for process in self._processes:
            assert process.is_ready, f"a client of {service} did not start"

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop calling and collect the counts."""
        self.seconds = self.seconds or time.monotonic() - self._began
        for process in self._processes:
            process.popen.terminate()

        for process in self._processes:
            output, _ = process.popen.communicate(timeout=SILENCE_S + 5)
            self._counts[process.kind].append(json.loads(output))
        self._processes = []

    def done(self, kind: str = "") -> int:
        return sum(count["done"] for count in self._of(kind))

    def slow(self, kind: str = "") -> int:
        return sum(count["slow"] for count in self._of(kind))

    def longest_ms(self) -> float:
        longest_s: float = max(count["longest_s"] for count in self._of(""))
        return longest_s * 1000

    def lost(self, kind: str = "") -> dict[str, int]:
        """Return how many calls were lost, by how."""
        total: collections.Counter[str] = collections.Counter()
        for count in self._of(kind):
            total.update(count["lost"])
        return dict(total)

    def moments(self, kind: str = "") -> list[LostCall]:
        """Return the first lost calls, in the order in which they began."""
        calls = []
        for count in self._of(kind):
            calls += [LostCall(*call) for call in count["lost_calls"]]
        return sorted(calls)

    def slow_moments(self) -> list[SlowCall]:
        """Return the first slow calls, in the order in which they began."""
        calls = []
        for count in self._of(""):
            calls += [SlowCall(*call) for call in count["slow_calls"]]
        return sorted(calls)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        """Return the counts of one kind, or of both."""
        if kind:
            return self._counts[kind]

        return [count for counts in self._counts.values() for count in counts]


def _started(command: Sequence[str], kind: str, rate: float) -> _Process:
    popen = subprocess.Popen([*command, kind, str(rate)], stdout=subprocess.PIPE)
    return _Process(kind, popen)
