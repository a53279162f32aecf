"""Which template to use: the edited one, the one in use, or the last good one of an earlier life."""

from collections.abc import Iterator
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.files import read, write
from discover.render import Layout


class Templates:
    """The template in use, and where others may come from. Used by the reconcile actor alone."""

    def __init__(self, path: Path, good: Path) -> None:
        self._path = path
        self._good = good  # a copy of the last one that HAProxy accepted
        self._used: Layout | None = None
        self._refused: tuple[str, Rejected] | None = None  # an edit that is not tried again until it is edited

    def candidates(self) -> Iterator[Layout | Rejected]:
        """Return what to try, best first; a Rejected stands for a template that is none."""
        yield self._compiled(self._path, Rejected(f"template {self._path}: no such file"))
        if self._used is not None:
            yield self._used
        else:
            yield self._compiled(self._good, Rejected("there is no earlier good template to fall back on"))

    def is_used(self, layout: Layout) -> bool:
        """Whether this is the template that HAProxy took last."""
        return layout is self._used

    def accept(self, layout: Layout) -> None:
        """Remember a template that HAProxy took, also for later lives."""
        if self.is_used(layout):
            return
        self._used = layout
        if read(self._good) != layout.text:
            write(self._good, layout.text)

    def refuse(self, layout: Layout | Rejected, why: Rejected) -> None:
        """Remember why an edited template does not do; the one in use is never refused for good."""
        if isinstance(layout, Layout) and not self.is_used(layout):
            self._refused = (layout.text, why)

    def _compiled(self, path: Path, missing: Rejected) -> Layout | Rejected:
        try:
            text = read(path)
        except Unavailable as error:  # a folder, no right, no UTF-8: to be mended by whoever edits it
            return Rejected(f"template: {error}")
        if text is None:
            return missing
        if self._used is not None and self._used.text == text:
            return self._used
        if self._refused is not None and self._refused[0] == text:
            return self._refused[1]
        try:
            return Layout(text, path.name)
        except Rejected as error:
            return error
