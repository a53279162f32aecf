"""Replace files whole or not at all."""

import contextlib
import os
from pathlib import Path

from catalog.errors import Unavailable


class Unwritten(Unavailable):
    """A file could not be written: the old one is as it was."""


def write(path: Path, text: str) -> None:
    """Put `text` at `path`; whoever reads it sees the old text or the new one. Raises Unwritten."""
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
