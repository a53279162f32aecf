"""Choose the template: the edited file, the one in use, or the last good one of an earlier life."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.errors import Rejected, Unavailable
from discover.text.environment import SHIPPED, FindTemplate
from discover.text.render import Layout
from sidecar.atomic_files import StateFile, read

# A file system's clock is coarse: a later edit may leave the same time of change for so long.
SETTLED_S = 2.0


def beside(path: Path, shipped: Path) -> FindTemplate:
    """Return what finds the templates that `path` extends, includes or imports.

    Those are the shipped one, and files in the template's own folder.
    """

    def find(name: str) -> str | None:
        if name == SHIPPED:
            return _text(shipped)
        if "/" in name or name in ("", ".", ".."):
            raise Rejected(
                f"{name!r} is not a file name: only files in the template's own folder can be used"
            )
        return _text_in_folder(path, name)

    return find


def _text_in_folder(path: Path, name: str) -> str | None:
    # A ConfigMap's files are links into another folder, and so may a checkout's be.
    folders = tuple(dict.fromkeys((path.parent.resolve(), path.resolve().parent)))

    for folder in folders:
        file = (folder / name).resolve()
        if file.exists() and not any(file.is_relative_to(allowed) for allowed in folders):
            raise Rejected(f"{name!r} points outside the template's folder, to {file}")
        if file.is_file():
            return _text(file)

    return None


def layout_of(path: Path, shipped: Path) -> Layout:
    """Return the template in a file; `shipped` is the one that it may extend. Raises Rejected."""
    text = _text(path)
    if text is None:
        raise Rejected(f"template {path}: no such file; set TEMPLATE to another one")
    return Layout(text, path.name, beside(path, shipped))


def _text(path: Path) -> str | None:
    try:
        return read(path)
    except Unavailable as error:  # a folder, no right, no UTF-8: for the operator to mend
        raise Rejected(f"template: {error}") from error


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What of a file changes when the file is edited or replaced."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def _stamp(path: Path) -> _Stamp | None:
    """Return a file's stamp; None while a later edit might leave the same one."""
    try:
        status = path.stat()
    except OSError:
        return None

    if max(status.st_mtime, status.st_ctime) >= time.time() - SETTLED_S:
        return None
    return _Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class _Copy:
    """The last template that HAProxy accepted, with every template that it looked for."""

    name: str
    text: str
    others: Mapping[str, str | None]  # None: there was no such file

    def layout(self) -> Layout:
        return Layout(self.text, self.name, self.others.get)


class Templates:
    """The template in use, and where others may come from. Used by the reconcile actor alone."""

    def __init__(self, path: Path, good: Path, shipped: Path) -> None:
        self._path = path
        self._shipped = shipped
        self._good_file = StateFile(
            good,
            _text_of,
            _copy_of,
            unknown="lost the last good template: %s: %s",
            unkept="cannot save the template for the next start",
        )
        self._good = self._good_file.load()
        self._used: Layout | None = None
        # Of the file when it held the template in use; None: only reading it tells.
        self._stamp: _Stamp | None = None
        # An edit that is not tried again until the file changes.
        self._refused: tuple[Layout, Rejected] | None = None

    def candidates(self) -> Iterator[Layout | Rejected]:
        """Return what to try, best first; a Rejected stands for a template that is none."""
        yield self._edited()
        yield self._used if self._used is not None else self._earlier()

    def is_used(self, layout: Layout) -> bool:
        """Whether this is the template that HAProxy accepted last."""
        return layout is self._used

    def accept(self, layout: Layout) -> None:
        """Remember a template that HAProxy accepted, also for later lives."""
        if not self.is_used(layout):
            self._used = layout
            self._stamp = None

        good = _Copy(layout.name, layout.text, dict(layout.others))
        if good != self._good:
            self._good = good
            self._good_file.save(good)

    def refuse(self, layout: Layout | Rejected, why: Rejected) -> None:
        """Remember why an edited template is of no use; the one in use is never refused."""
        if isinstance(layout, Layout) and not self.is_used(layout):
            self._refused = (layout, why)

    def _edited(self) -> Layout | Rejected:
        try:
            if self._used is not None and self._is_in_file(self._used):
                return self._used

            if self._refused is not None:
                layout, why = self._refused
                if self._is_unchanged(layout):
                    return why

            return layout_of(self._path, self._shipped)
        except Rejected as error:
            return error

    def _is_in_file(self, used: Layout) -> bool:
        """Whether the file says what is used; it is read only where its stamp does not tell."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp == self._stamp and not used.others:
            return True

        unchanged = self._is_unchanged(used)
        self._stamp = stamp if unchanged else None
        return unchanged

    def _is_unchanged(self, layout: Layout) -> bool:
        """Whether a template, and every other that it looked for, is what the files say."""
        if _text(self._path) != layout.text:
            return False

        find = beside(self._path, self._shipped)
        return all(_found(find, name) == text for name, text in layout.others.items())

    def _earlier(self) -> Layout | Rejected:
        if self._good is None:
            return Rejected("there is no earlier good template to fall back on")
        try:
            return self._good.layout()
        except Rejected as error:
            return error


def _found(find: FindTemplate, name: str) -> str | None:
    try:
        return find(name)
    except Rejected:
        return None


def _text_of(copy: _Copy) -> str:
    return json.dumps(asdict(copy), indent=1)


def _copy_of(content: bytes) -> _Copy:
    kept = json.loads(content)
    others = {
        str(name): None if text is None else str(text) for name, text in kept["others"].items()
    }
    return _Copy(name=str(kept["name"]), text=str(kept["text"]), others=others)
