"""Notice edits of the template and files like it, however an editor saves. The only user of watchdog; reads nothing."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from sidecar.actors import Actor

log = logging.getLogger(__name__)

POLL_S = 10.0  # only where the kernel has no inotify instance left, or there is no folder to watch
# Opening and reading are events too; our own reading must not wake us.
_EDITS = ("created", "modified", "moved", "deleted", "closed")


class _OnEdit(FileSystemEventHandler):
    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Fire for whatever may have changed the file; what it is now is for the reader to find out."""
        if event.event_type in _EDITS:
            self._changed()


class FileWatch:
    """The actor that watches a file's folder, the folder it is linked to, and the file itself; fires `what` it is.

    The folder, as most editors save by renaming a new file over the old; the link's folder, as a ConfigMap swaps
    links; the file, as one that is mounted alone into a container changes unseen by its folder. The same for the
    `others`, which may be folders: a watch of their own would cost several threads each.
    """

    def __init__(
        self, path: Path, what: str, changed: Callable[[str], None], others: Sequence[Path] = ()
    ) -> None:
        self._paths = (path, *others)
        self._what = what
        self._changed = changed
        self._moved = threading.Event()
        self._stop = threading.Event()

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor(self._what, self.run, self.interrupt)

    def run(self) -> None:
        """Watch until interrupted; after each event look anew at where the path leads."""
        while not self._stop.is_set():
            observer = self._observe(targets := self._targets())
            # An edit while nobody was watching: between the last observer and this one, or before the first.
            self._changed(self._what)
            while not self._stop.is_set() and self._targets() == targets:
                self._moved.wait(
                    None if targets else POLL_S
                )  # not even its folder is there: nobody would wake us
                self._moved.clear()
            observer.stop()
            observer.join()

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._moved.set()

    def _event(self) -> None:
        self._changed(self._what)
        self._moved.set()

    def _targets(self) -> frozenset[tuple[Path, int]]:
        """Return what to watch, each with its inode: a replaced file is another one to the kernel."""
        targets = set()
        for each in self._paths:
            for path in (each.parent.absolute(), (real := each.resolve()).parent, real):
                with contextlib.suppress(
                    OSError
                ):  # an editor is between two steps; its next one wakes us
                    targets.add((path, path.stat().st_ino))
        return frozenset(targets)

    def _observe(self, targets: frozenset[tuple[Path, int]]) -> BaseObserver:
        try:
            return self._started(Observer(), targets)
        except OSError as error:
            log.warning(
                "%s is looked at every %g s, the kernel cannot watch it: %s",
                self._what,
                POLL_S,
                error,
            )
            return self._started(PollingObserver(timeout=POLL_S), targets)

    def _started(
        self, observer: BaseObserver, targets: frozenset[tuple[Path, int]]
    ) -> BaseObserver:
        for path, _inode in sorted(targets):
            observer.schedule(_OnEdit(self._event), str(path))
        observer.start()
        return observer
