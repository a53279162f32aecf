"""Files that should say what HAProxy runs by now, but could not be written."""

import logging
from pathlib import Path

from sidecar.atomic_files import Unwritten, write

log = logging.getLogger(__name__)


class OwedFiles:
    """The files, and what each should say."""

    def __init__(self) -> None:
        self._owed: dict[Path, str] = {}

    def __bool__(self) -> bool:
        """Whether a file is behind."""
        return bool(self._owed)

    def write(self, path: Path, text: str) -> None:
        """Write a file, or owe it: HAProxy was changed at runtime all the same."""
        try:
            write(path, text)
        except Unwritten as error:
            if not self._owed:
                log.warning(
                    "changed servers at runtime only, a restart of HAProxy would lose them: %s",
                    error,
                )
            self._owed[path] = text
        else:
            self._owed.pop(path, None)

    def settle(self) -> None:
        """Write what is owed. Raises Unwritten if that cannot be done yet."""
        for path, text in tuple(self._owed.items()):
            write(path, text)
            log.info("%s is up to date again", path)
            del self._owed[path]

    def forget(self) -> None:
        """Owe nothing: a reload wrote everything anew."""
        self._owed.clear()
