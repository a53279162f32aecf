"""Keep the last good snapshot on disk, for the next life to start from. Decides nothing."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from discover.snapshot.saved_format import Origin, Saved, Texts, decode, encode, sane
from discover.snapshot.state import State
from sidecar.atomic_files import StateFile
from sidecar.log import Details

log = logging.getLogger(__name__)


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
            unknown="the last snapshot is ignored, asking etcd: %s %s",
            unkept="the snapshot is not saved, the last one stays",
            kept_again="the snapshot is saved again",
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
        log.info("found the last snapshot %s", details)
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


def _ahead_s() -> float:
    """Return how far the wall clock is ahead of the one that measures intervals."""
    return time.time() - time.monotonic()
