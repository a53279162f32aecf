"""Replace files whole or not at all, and keep in them what one life leaves the next."""

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from catalog.errors import Rejected, Unavailable

log = logging.getLogger(__name__)

Value = TypeVar("Value")

# A disk is shared, and a boot has to be quick; a snapshot of 100,000 usual records is smaller.
STATE_BYTES_MAX = 64 * 1024 * 1024
# What reading JSON raises, and taking it apart, when it is not what was written.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


class Unwritten(Unavailable):
    """A file could not be written: the old one is as it was."""


def write(path: Path, text: str) -> None:
    """Put `text` at `path`; a reader sees the old text or the new one. Raises Unwritten."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise Unwritten(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> str | None:
    """Return the text at `path`, or None if there is none. Raises Unavailable."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"cannot read {path}: {error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StateFile(Generic[Value]):
    """A file for the next life of this process. What cannot be read is unknown, never an error.

    `decode` raises Rejected, or what reading JSON raises, for bytes that it did not write. The
    texts are for the log: `unknown` has a place for the path and one for the reason, `unkept`
    goes on with the reason.
    """

    def __init__(
        self,
        path: Path,
        encode: Callable[[Value], str],
        decode: Callable[[bytes], Value],
        *,
        unknown: str,
        unkept: str,
        kept_again: str = "",
    ) -> None:
        self._path = path
        self._encode = encode
        self._decode = decode
        self._unknown = unknown
        self._unkept = unkept
        self._kept_again = kept_again
        self._complaint = ""  # why the last save failed

    def load(self) -> Value | None:
        """Return what an earlier life left; None if there is nothing, or (logged) no use for it."""
        try:
            return self._decode(self._content())
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        except Rejected as error:
            reason = str(error)
        except MALFORMED as error:
            reason = f"{error!r:.120}"

        log.warning(self._unknown, self._path, reason)
        return None

    def save(self, value: Value) -> bool:
        """Replace what the next life will find, and return whether that worked.

        A failure is logged once, and the old file stays.
        """
        try:
            self._write(self._encode(value))
        except Unavailable as error:
            if self._complaint != str(error):
                log.warning("%s: %s", self._unkept, error)
            self._complaint = str(error)
            return False

        if self._complaint and self._kept_again:
            log.info(self._kept_again)
        self._complaint = ""
        return True

    def touch(self) -> None:
        """Record that what the file says still holds."""
        with contextlib.suppress(OSError):
            os.utime(self._path)

    def age_s(self) -> float:
        """Return how long ago the file was written or touched; 0 if there is none."""
        try:
            return max(0.0, time.time() - self._path.stat().st_mtime)
        except OSError:
            return 0.0

    def _content(self) -> bytes:
        with self._path.open("rb") as file:
            content = file.read(STATE_BYTES_MAX + 1)

        if len(content) > STATE_BYTES_MAX:
            raise Rejected(f"has more than {STATE_BYTES_MAX} bytes")
        return content

    def _write(self, text: str) -> None:
        if len(text) > STATE_BYTES_MAX:
            raise Unavailable(f"it has {len(text)} bytes, at most {STATE_BYTES_MAX} are kept")
        write(self._path, text)
