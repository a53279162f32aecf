"""The door's map on disk: a file for each text of haproxy.cfg, which a reload reads with it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from discover.model.proxy_config import MAP_NAME
from sidecar.atomic_files import read, write

Routes = Mapping[str, str]


def text_of(routes: Routes) -> str:
    """Return a map as HAProxy reads it: a key and a value on each line."""
    return "".join(f"{key} {value}\n" for key, value in sorted(routes.items()))


class MapFiles:
    """The files, beside haproxy.cfg."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, marker: str) -> Path:
        """Return where the map for the text with this marker is."""
        return self._folder / MAP_NAME.format(marker)

    def write(self, marker: str, routes: Routes) -> None:
        """Replace the map of a text. Raises Unwritten."""
        write(self.path(marker), text_of(routes))

    def read(self, marker: str) -> Routes | None:
        """Return the map of a text; None if it has none. Raises Unavailable."""
        text = read(self.path(marker))
        if text is None:
            return None

        entries = (line.partition(" ") for line in text.splitlines())
        return {key: value for key, _, value in entries}

    def tidy(self, *markers: str) -> None:
        """Remove all other maps: workers that run other texts have read theirs."""
        kept = {self.path(marker) for marker in markers}

        for path in self._folder.glob(MAP_NAME.format("*")):
            if path not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()
