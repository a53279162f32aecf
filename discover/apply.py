"""Bring a text to HAProxy: candidate, check, rename, reload, confirm; and back again if that fails."""

import logging
import threading
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.files import read, write
from discover.haproxy import HAProxy
from discover.plan import Version
from discover.render import Rendered, marker_of
from sidecar.metrics import Metrics

log = logging.getLogger(__name__)

CONFIRM_S = 10.0  # 10,000 servers took under 0.4 s; a start waits for its supervisor


class Applier:
    """HAProxy and its file as one thing: the file on disk is always one that HAProxy runs or would run."""

    def __init__(self, haproxy: HAProxy, config: Path, *, stop: threading.Event, metrics: Metrics) -> None:
        self.stop = stop
        self._haproxy = haproxy
        self._config = config
        self._reloads = metrics.counter("discover_reloads", "Reloads of HAProxy", "result")
        self._seconds = metrics.histogram(
            "discover_reload_seconds",
            "From the check to the new worker's answer",
            (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )

    def running(self, known: Version | None) -> Version | None:
        """Return what runs: `known`, or else what the file of an earlier life says, if the worker shows its marker.

        None when the worker runs something else, or when there is no file to run. Starts HAProxy if it does not
        run and nobody else starts it. Raises Unavailable.
        """
        text = known.text if known else read(self._config)
        if text is None:
            return None
        if not self._haproxy.answers():
            self._haproxy.confirm(marker_of(text), self.stop, CONFIRM_S)
        return (known or Version(text, None)) if self._haproxy.marker() == marker_of(text) else None

    def replace(self, rendered: Rendered) -> None:
        """Make HAProxy run a text. Raises Rejected if it refuses it; then the last good one goes on.

        A refused text stays as the candidate, for whoever wants to read the line that HAProxy complains about.
        """
        candidate = self._config.with_name(self._config.name + ".candidate")
        write(candidate, rendered.text)
        try:
            with self._seconds.time():
                self._haproxy.check(candidate)
                self._swap(candidate, rendered)
        except Rejected:
            self._reloads.labels("refused").inc()
            raise
        except Unavailable:
            self._reloads.labels("failed").inc()
            raise
        self._reloads.labels("ok").inc()

    def _swap(self, candidate: Path, rendered: Rendered) -> None:
        before = read(self._config)
        candidate.replace(self._config)
        try:
            self._haproxy.reload(rendered.marker, self.stop, CONFIRM_S)
        except (Rejected, Unavailable):
            if before is not None and not self.stop.is_set():
                self._config.replace(candidate)
                write(self._config, before)
            raise

    @staticmethod
    def keep_template(path: Path, text: str) -> None:
        """Keep a copy of a template that was accepted."""
        if read(path) != text:
            write(path, text)
