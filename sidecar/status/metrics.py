"""Counters and gauges of one process, in Prometheus' text format.

Written here because prometheus_client takes 1 MB, and cannot be imported without ssl: 3 MB more.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate

_Labels = tuple[str, ...]
_Sample = tuple[str, Iterable[tuple[str, str]], float]  # what follows the name, labels, value


class Metrics:
    """A registry of its own, so that one test can have two; all names begin with `tandem_`."""

    def __init__(self) -> None:
        self._all: list[_Family | Histogram] = []

    def counter(self, name: str, meaning: str, *labels: str) -> "Counter":
        """Return a new counter; `_total` is added to its name."""
        family = _Family(f"tandem_{name}_total", "counter", meaning, labels)
        self._all.append(family)
        return Counter(family)

    def gauge(self, name: str, meaning: str, *labels: str) -> "Gauge":
        """Return a new gauge."""
        family = _Family(f"tandem_{name}", "gauge", meaning, labels)
        self._all.append(family)
        return Gauge(family)

    def histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> "Histogram":
        """Return a new histogram; `buckets` are upper bounds in seconds."""
        histogram = Histogram(f"tandem_{name}", meaning, buckets)
        self._all.append(histogram)
        return histogram

    def text(self) -> bytes:
        """Return everything in the text exposition format, version 0.0.4."""
        lines: list[str] = []
        for metric in self._all:
            lines.append(f"# HELP {metric.name} {_escaped(metric.meaning)}")
            lines.append(f"# TYPE {metric.name} {metric.kind}")
            lines += [
                f"{metric.name}{suffix}{_shown(labels)} {_number(value)}"
                for suffix, labels, value in metric.samples()
            ]
        return "".join(f"{line}\n" for line in lines).encode()


class _Family:
    """The values of one name, by their labels. Any thread may change them."""

    def __init__(self, name: str, kind: str, meaning: str, label_names: _Labels) -> None:
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self._label_names = label_names
        self._lock = threading.Lock()
        self._values: dict[_Labels, float | Callable[[], float]] = {}
        if not label_names:
            self._values[()] = 0.0

    def begin(self, labels: _Labels) -> None:
        """Show a value from now on, at first 0."""
        if len(labels) != len(self._label_names):
            raise ValueError(f"{self.name} has the labels {self._label_names}, not {labels}")

        with self._lock:
            self._values.setdefault(labels, 0.0)

    def add(self, labels: _Labels, more: float) -> None:
        with self._lock:
            now = self._values.get(labels, 0.0)
            self._values[labels] = (now() if callable(now) else now) + more

    def put(self, labels: _Labels, value: float | Callable[[], float]) -> None:
        with self._lock:
            self._values[labels] = value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()

    def samples(self) -> Iterator[_Sample]:
        with self._lock:
            values = dict(self._values)

        for labels, value in values.items():
            now = value() if callable(value) else value
            yield "", zip(self._label_names, labels, strict=True), now


class Counter:
    """Only grows. One with labels is used through `labels`."""

    def __init__(self, family: _Family, labels: _Labels = ()) -> None:
        self._family = family
        self._labels = labels

    def labels(self, *values: str) -> "Counter":
        """Return the counter with these labels."""
        self._family.begin(values)
        return Counter(self._family, values)

    def inc(self, more: float = 1.0) -> None:
        """Count."""
        self._family.add(self._labels, more)


class Gauge:
    """Goes up and down. One with labels is used through `labels`."""

    def __init__(self, family: _Family, labels: _Labels = ()) -> None:
        self._family = family
        self._labels = labels

    def labels(self, *values: str) -> "Gauge":
        """Return the gauge with these labels."""
        self._family.begin(values)
        return Gauge(self._family, values)

    def inc(self, more: float = 1.0) -> None:
        """Add."""
        self._family.add(self._labels, more)

    def set(self, value: float) -> None:
        """Replace the value."""
        self._family.put(self._labels, float(value))

    def set_function(self, read: Callable[[], float]) -> None:
        """Ask this for the value each time that somebody reads it."""
        self._family.put(self._labels, read)

    def clear(self) -> None:
        """Forget all values with labels."""
        self._family.clear()


class Histogram:
    """Counts how many values were at most so large."""

    kind = "histogram"

    def __init__(self, name: str, meaning: str, buckets: tuple[float, ...]) -> None:
        self.name = name
        self.meaning = meaning
        self._bounds = (*buckets, float("inf"))
        self._lock = threading.Lock()
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        place = next(at for at, bound in enumerate(self._bounds) if value <= bound)
        with self._lock:
            self._counts[place] += 1
            self._sum += value

    @contextmanager
    def time(self) -> Iterator[None]:
        """Count how many seconds the `with` takes."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.observe(time.monotonic() - began_s)

    def samples(self) -> Iterator[_Sample]:
        """Yield each bucket, the count and the sum."""
        with self._lock:
            counts = tuple(accumulate(self._counts))
            total = self._sum

        for bound, count in zip(self._bounds, counts, strict=True):
            yield "_bucket", (("le", _number(bound)),), count
        yield "_count", (), counts[-1]
        yield "_sum", (), total


def _shown(labels: Iterable[tuple[str, str]]) -> str:
    pairs = [f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else repr(float(value))
