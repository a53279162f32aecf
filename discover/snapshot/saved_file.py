"""The last good snapshot on disk: read once at the start, written whole or not at all. Decides nothing about it."""

import contextlib
import logging
import os
import time
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.snapshot.saved_format import BYTES_MAX, Place, Saved, Texts, decode, encode, sane
from discover.snapshot.suspects import State
from sidecar.atomic_files import write
from sidecar.log import Details

log = logging.getLogger(__name__)


class SavedFile:
    """The file. Its time of change says when the catalog was last known to be as it says: see `touch`."""

    def __init__(self, path: Path, place: Place) -> None:
        self._path, self._place = path, place
        self._texts = Texts()
        self._said = ""

    def load(self) -> tuple[Saved, float] | None:
        """Return what an earlier life left and its age in seconds; None, said once, if that cannot be used."""
        try:
            with self._path.open("rb") as file:
                changed_at, content = os.fstat(file.fileno()).st_mtime, file.read(BYTES_MAX + 1)
            saved = decode(content, self._place, _ahead_s())
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning(
                "the last snapshot cannot be read, asking etcd: %s: %s", self._path, error.strerror
            )
            return None
        except Rejected as error:
            log.warning("the last snapshot is ignored, asking etcd: %s %s", self._path, error)
            return None
        age_s = max(0.0, time.time() - changed_at)
        saved = sane(saved, time.monotonic(), age_s)
        records = len(saved.catalog.records)
        seen = Details(
            records=records,
            suspects=len(saved.suspects),
            revision=saved.catalog.revision,
            age_s=round(age_s),
        )
        log.info("found the last snapshot %s", seen)
        return saved, age_s

    def save(self, state: State) -> bool:
        """Write a state, and return whether that worked; a failure is said once, and the old file stays."""
        saved = Saved(state.catalog, state.suspects, state.catalog.origin or self._place.host)
        text = encode(saved, self._place, _ahead_s(), self._texts)
        try:
            self._write(text)
        except Unavailable as error:
            if self._said != str(error):
                log.warning("the snapshot is not saved, the last one stays: %s", error)
            self._said = str(error)
            return False
        if self._said:
            log.info("the snapshot is saved again")
        self._said = ""
        return True

    def _write(self, text: str) -> None:
        if len(text) > BYTES_MAX:
            raise Unavailable(f"it has {len(text)} bytes, at most {BYTES_MAX} are kept")
        write(self._path, text)

    def touch(self) -> None:
        """Say that the catalog still is as it was."""
        with contextlib.suppress(OSError):
            os.utime(self._path)


def _ahead_s() -> float:
    """Return how far the wall clock is ahead of the one that all else counts with."""
    return time.time() - time.monotonic()
