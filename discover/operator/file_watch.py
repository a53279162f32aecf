"""Notice edits of the template and of files like it, however an editor saves. Reads nothing.

The only user of watchdog.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from sidecar.actors import Actor

log = logging.getLogger(__name__)

# Only where the kernel has no inotify instance left, or there is no folder to watch.
POLL_S = 10.0
# Opening and reading are events too; our own reading must not wake us.
_EDITS = ("created", "modified", "moved", "deleted", "closed")


class _OnEdit(FileSystemEventHandler):
    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Fire for whatever may have changed the file; its reader finds out what it says now."""
        if event.event_type in _EDITS:
            self._changed()


@dataclass(frozen=True, slots=True, order=True)
class _Target:
    """A path to watch, with its inode: to the kernel, a replaced file is another one."""

    path: Path
    inode: int


Targets = frozenset[_Target]


class FileWatch:
    """The actor that watches a file's folder, the folder it is linked to, and the file itself.

    Most editors save by renaming a new file over the old one, so the folder is watched. A
    ConfigMap swaps links, so the link's folder is. A file that is mounted alone into a container
    changes unseen by its folder, so the file is. The same holds for the `others`, which may be
    folders: a watch of their own would cost several threads each.

    Each edit calls `changed` with `what` the file is.
    """

    def __init__(
        self, path: Path, what: str, changed: Callable[[str], None], others: Sequence[Path] = ()
    ) -> None:
        self._paths = (path, *others)
        self._what = what
        self._changed = changed
        self._replaced: set[Path] = set()
        self._moved = threading.Event()
        self._stop = threading.Event()

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor(self._what, self.run, self.interrupt)

    def run(self) -> None:
        """Watch until interrupted; after each event look anew at where the path leads."""
        while not self._stop.is_set():
            targets = self._targets()
            self._warn_of_replaced()
            observer = self._observe(targets)
            # An edit may have come before the first observer, or between the last one and this.
            self._changed(self._what)

            while not self._stop.is_set() and self._targets() == targets:
                # Without even a folder to watch, no event would come.
                self._moved.wait(None if targets else POLL_S)
                self._moved.clear()
                self._warn_of_replaced()

            observer.stop()
            observer.join()

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._moved.set()

    def _warn_of_replaced(self) -> None:
        """Say once which files were replaced where they were mounted from, as no event would."""
        replaced = {path for path in self._paths if _is_deleted(path)}
        for path in sorted(replaced - self._replaced):
            log.warning(
                "the %s %s was replaced, and the old file is still mounted here: "
                "mount its folder instead of the file",
                self._what,
                path,
            )
        self._replaced = replaced

    def _event(self) -> None:
        self._changed(self._what)
        self._moved.set()

    def _targets(self) -> Targets:
        targets: set[_Target] = set()
        for path in self._paths:
            real = path.resolve()
            for target in (path.parent.absolute(), real.parent, real):
                # An editor may be between two steps; its next one wakes us.
                with contextlib.suppress(OSError):
                    targets.add(_Target(target, target.stat().st_ino))
        return frozenset(targets)

    def _observe(self, targets: Targets) -> BaseObserver:
        try:
            return self._started(Observer(), targets)
        except OSError as error:
            log.warning(
                "cannot watch the %s, checking it every %g s: %s",
                self._what,
                POLL_S,
                error,
            )
            return self._started(PollingObserver(timeout=POLL_S), targets)

    def _started(self, observer: BaseObserver, targets: Targets) -> BaseObserver:
        for target in sorted(targets):
            observer.schedule(_OnEdit(self._event), str(target.path))
        observer.start()
        return observer


def _is_deleted(path: Path) -> bool:
    """Whether a file has no name any more: only a mount of the file alone still leads to it."""
    try:
        return path.stat().st_nlink == 0
    except OSError:
        return False
