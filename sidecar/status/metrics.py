"""Counters and gauges of one process, in Prometheus' text format.

The only user of prometheus_client.
"""

from catalog.without_modules import without_modules

# What its own servers and pushing need, and its metrics of the process: 3 MB with OpenSSL.
_UNUSED = (
    "gzip",
    "http.server",
    "prometheus_client.asgi",
    "prometheus_client.gc_collector",
    "prometheus_client.platform_collector",
    "prometheus_client.process_collector",
    "ssl",
    "urllib.error",
    "urllib.request",
    "wsgiref.simple_server",
)
with without_modules(*_UNUSED):
    from prometheus_client import (
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        disable_created_metrics,
        generate_latest,
    )

__all__ = ["Counter", "Gauge", "Histogram", "Metrics"]


class Metrics:
    """A registry of its own, so that one test can have two; all names begin with `tandem_`."""

    def __init__(self) -> None:
        # A time for each counter, which nobody reads and every scrape would carry.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """Return a new counter; Prometheus adds `_total` to its name."""
        return Counter(f"tandem_{name}", meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """Return a new gauge."""
        return Gauge(f"tandem_{name}", meaning, labels, registry=self._registry)

    def histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        """Return a new histogram; `buckets` are upper bounds in seconds."""
        return Histogram(
            f"tandem_{name}", meaning, labels, buckets=buckets, registry=self._registry
        )

    def text(self) -> bytes:
        """Return everything in the text exposition format, version 0.0.4."""
        return generate_latest(self._registry)
