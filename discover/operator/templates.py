"""Which template to use: the edited one, the one in use, or the last good one of an earlier life."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.settings import TEMPLATE
from discover.text.render import SHIPPED, Find, Layout
from sidecar.atomic_files import StateFile, read

_Stamp = tuple[int, ...]
SETTLED_S = 2.0  # a file whose last change is older does not change once more at the same time, as its clock counts


def beside(path: Path) -> Find:
    """Return who finds what a template extends, includes or imports: the shipped one, and files in its own folder."""

    def find(name: str) -> str | None:
        if name == SHIPPED:
            return _text(TEMPLATE)
        if "/" in name or name in ("", ".", ".."):
            raise Rejected(
                f"{name!r} is no file's name: only files in the template's own folder can be used"
            )
        # The folder that the template is linked to too: a ConfigMap's files are links, as is a file of a checkout.
        folders = tuple(
            dict.fromkeys(each.resolve() for each in (path.parent, path.resolve().parent))
        )
        for folder in folders:
            file = (folder / name).resolve()
            if file.exists() and not any(file.is_relative_to(each) for each in folders):
                raise Rejected(f"{name!r} leads out of the template's folder, to {file}")
            if file.is_file():
                return _text(file)
        return None

    return find


def layout_of(path: Path) -> Layout:
    """Return the template in a file. Raises Rejected."""
    if (text := _text(path)) is None:
        raise Rejected(f"template {path}: no such file; TEMPLATE names another")
    return Layout(text, path.name, beside(path))


def _text(path: Path) -> str | None:
    try:
        return read(path)
    except Unavailable as error:  # a folder, no right, no UTF-8: to be mended by whoever edits it
        raise Rejected(f"template: {error}") from error


def _stamp(path: Path) -> _Stamp | None:
    """Return what becomes another when a file is edited or replaced; None while it may not have yet."""
    try:
        it = path.stat()
    except OSError:
        return None
    settled = max(it.st_mtime, it.st_ctime) < time.time() - SETTLED_S
    return (it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns) if settled else None


def _found(find: Find, name: str) -> str | None:
    try:
        return find(name)
    except Rejected:
        return None


@dataclass(frozen=True, slots=True)
class _Copy:
    """The last template that HAProxy accepted, with all that it extends or includes."""

    name: str
    text: str
    others: Mapping[str, str | None]


class Templates:
    """The template in use, and where others may come from. Used by the reconcile actor alone."""

    def __init__(self, path: Path, good: Path) -> None:
        self._path = path
        self._good = StateFile(
            good,
            _text_of,
            _copy_of,
            unknown="the last good template is not known any more: %s: %s",
            unkept="the template is not kept for the next start",
        )
        self._copy = self._good.load()
        self._used: Layout | None = None
        self._stamp: _Stamp | None = (
            None  # of the file when it was what is used; None: it has to be read to know
        )
        self._refused: tuple[Layout, Rejected] | None = (
            None  # an edit that is not tried again until it is edited
        )

    def candidates(self) -> Iterator[Layout | Rejected]:
        """Return what to try, best first; a Rejected stands for a template that is none."""
        yield self._edited()
        yield self._used if self._used is not None else self._earlier()

    def is_used(self, layout: Layout) -> bool:
        """Whether this is the template that HAProxy took last."""
        return layout is self._used

    def accept(self, layout: Layout) -> None:
        """Remember a template that HAProxy took, also for later lives."""
        if not self.is_used(layout):
            self._used = layout
            self._stamp = None
        copy = _Copy(layout.name, layout.text, dict(layout.others))
        if copy != self._copy:
            self._copy = copy
            self._good.save(copy)

    def refuse(self, layout: Layout | Rejected, why: Rejected) -> None:
        """Remember why an edited template does not do; the one in use is never refused for good."""
        if isinstance(layout, Layout) and not self.is_used(layout):
            self._refused = (layout, why)

    def _edited(self) -> Layout | Rejected:
        try:
            if self._used is not None and self._is_as_used(self._used):
                return self._used
            if self._refused is not None and self._is_as_ever(self._refused[0]):
                return self._refused[1]
            return layout_of(self._path)
        except Rejected as error:
            return error

    def _is_as_used(self, used: Layout) -> bool:
        """Whether the file says what is used; it is read only where its stamp does not tell that."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp == self._stamp and not used.others:
            return True
        as_ever = self._is_as_ever(used)
        self._stamp = stamp if as_ever else None
        return as_ever

    def _is_as_ever(self, layout: Layout) -> bool:
        """Whether a template, and all that it looked for beside it, is still what the files say."""
        find = beside(self._path)
        return _text(self._path) == layout.text and all(
            _found(find, n) == text for n, text in layout.others.items()
        )

    def _earlier(self) -> Layout | Rejected:
        if self._copy is None:
            return Rejected("there is no earlier good template to fall back on")
        try:
            return Layout(self._copy.text, self._copy.name, self._copy.others.get)
        except Rejected as error:
            return error


def _text_of(copy: _Copy) -> str:
    return json.dumps(asdict(copy), indent=1)


def _copy_of(content: bytes) -> _Copy:
    copy = json.loads(content)
    others = {
        str(name): None if text is None else str(text) for name, text in copy["others"].items()
    }
    return _Copy(str(copy["name"]), str(copy["text"]), others)
