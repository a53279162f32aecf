"""Keep the last good snapshot on disk, for the next life to start from. Decides nothing."""

import logging
import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from discover.snapshot.keeper import Keeper
from discover.snapshot.saved_format import Origin, Saved, Texts, decode, encode, sane
from discover.snapshot.state import State
from sidecar.actors import Actor
from sidecar.atomic_files import StateFile
from sidecar.log import Details
from sidecar.trigger import Trigger

log = logging.getLogger(__name__)

QUIET_S, AT_MOST_S = 0.2, 1.0  # before a save: a burst is one
SHARE = 20  # a save that took long is repeated only after so many times as long
AGAIN_S = 3.0  # after a save that failed


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier life left, and when that was last known to be so."""

    saved: Saved
    seen_s: float


class SavedFile:
    """The file. Its time of change says when the catalog was last known to be as the file says."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._origin = origin
        self._texts = Texts()
        self._file = StateFile(
            path,
            self._encode,
            self._decode,
            unknown="ignoring the saved snapshot, asking etcd: %s %s",
            unkept="cannot save the snapshot, keeping the last one",
            kept_again="saving the snapshot works again",
        )

    def load(self) -> Found | None:
        """Return what an earlier life left; None if that cannot be used."""
        age_s = self._file.age_s()
        saved = self._file.load()
        if saved is None:
            return None

        now_s = time.monotonic()
        saved = sane(saved, now_s, age_s)
        details = Details(
            records=len(saved.catalog.records),
            suspects=len(saved.suspects),
            revision=saved.catalog.revision,
            age_s=round(age_s),
        )
        log.info("loaded the saved snapshot %s", details)
        return Found(saved, seen_s=now_s - age_s)

    def save(self, state: State) -> bool:
        """Write a state, and return whether that worked."""
        host = state.catalog.written_by or self._origin.host
        return self._file.save(Saved(state.catalog, state.suspects, host))

    def touch(self) -> None:
        """Record that the catalog is still as the file says."""
        self._file.touch()

    def _encode(self, saved: Saved) -> str:
        return encode(saved, self._origin, _ahead_s(), self._texts)

    def _decode(self, content: bytes) -> Saved:
        return decode(content, self._origin, _ahead_s())


class SnapshotSaver:
    """The actor that saves what the keeper knows, soon after it changed."""

    def __init__(self, keeper: Keeper, file: SavedFile) -> None:
        self._keeper = keeper
        self._file = file
        self._awake = Trigger()
        self._stop = threading.Event()
        self._saved = keeper.state
        self._save_s = -math.inf  # when the next save may be
        keeper.follow(self._look)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("save snapshot", self.run, self.interrupt)

    def interrupt(self) -> None:
        """Make `run` return."""
        self._stop.set()
        self._awake.fire("stop")

    def run(self) -> None:
        """Follow the keeper until interrupted; what is not saved by then is saved last."""
        while not self._stop.is_set():
            if self._awake.wait(self._pause_s()):
                self._awake.settle(QUIET_S, AT_MOST_S)
            if time.monotonic() >= self._save_s:
                self._save()

        self._save()

    def _look(self) -> None:
        if self._keeper.state is not self._saved:
            self._awake.fire("state")

    def _pause_s(self) -> float | None:
        if not self._is_unsaved(self._keeper.state):
            return None
        return max(0.0, self._save_s - time.monotonic())

    def _is_unsaved(self, state: State) -> bool:
        saved = self._saved
        if state is saved:
            return False

        same_catalog = state.catalog.same_as(saved.catalog)
        same_cluster = state.catalog.cluster == saved.catalog.cluster
        return not (same_catalog and same_cluster and state.suspects == saved.suspects)

    def _save(self) -> None:
        state = self._keeper.state
        if not self._is_unsaved(state):
            self._saved = state
            return

        started_s = time.monotonic()
        if self._file.save(state):
            self._saved = state
            took_s = time.monotonic() - started_s
            self._save_s = time.monotonic() + SHARE * took_s
        else:
            self._save_s = time.monotonic() + AGAIN_S


def _ahead_s() -> float:
    """Return how far the wall clock is ahead of the one that measures intervals."""
    return time.time() - time.monotonic()
