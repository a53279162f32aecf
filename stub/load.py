"""Read the folder of answers; when a request comes, read again what was edited."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stub import folder, openapi
from stub.answers import WRONG_KIND, Entry, Invalid, Table, lines_of, reason_of, table_of
from stub.documents import parse_json, parse_yaml

log = logging.getLogger(__name__)

LOOK_SHARE = 20  # looking for edited files takes at most one part in so many of the time
MOST_BYTES = 50_000_000  # of one file; all are kept in memory

Stamp = tuple[int, int, int]  # time of the last change, size, inode


@dataclass(frozen=True, slots=True)
class Parsed:
    """The answers of a file, and what is wrong with it."""

    entries: Sequence[Entry] = ()
    problems: Sequence[str] = ()
    is_openapi: bool = False


class Answers:
    """The table of all answers in a folder, or in a single file."""

    def __init__(self, root: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._now_s = now_s
        self._stamps: Mapping[str, Stamp] | None = None
        self._parsed: dict[str, Parsed] = {}
        self._table = Table()
        self._look_again_s = -1.0

    def table(self) -> Table:
        """Return the table: the same object as before if no file was edited."""
        began_s = self._now_s()
        if began_s < self._look_again_s:
            return self._table

        stamps = _stamps(self._root)
        if stamps != self._stamps:
            self._read_edited(stamps)
            self._table = self._new_table()

        ended_s = self._now_s()
        self._look_again_s = ended_s + LOOK_SHARE * (ended_s - began_s)
        return self._table

    def _read_edited(self, stamps: Mapping[str, Stamp]) -> None:
        before = self._stamps or {}
        parsed = {}
        for name, stamp in stamps.items():
            is_edited = name not in self._parsed or before.get(name) != stamp
            parsed[name] = self._parse(name) if is_edited else self._parsed[name]

        self._parsed = parsed
        self._stamps = stamps

    def _new_table(self) -> Table:
        in_order = self._in_order()
        entries = [entry for parsed in in_order for entry in parsed.entries]
        problems = [line for parsed in in_order for line in parsed.problems]
        if not self._parsed:
            advice = "mount a folder of answers or an OpenAPI file there: see --help"
            problems.append(f"{self._root}: no files; {advice}")

        for line in problems:
            if line not in self._table.problems:
                log.warning("%s", line)

        table = table_of(entries, problems)
        log.info("%d answers in %d files", len(lines_of(table)), len(self._parsed))
        return table

    def _in_order(self) -> list[Parsed]:
        """Return files of one answer first: they override an OpenAPI file for the same path."""
        by_name = sorted(self._parsed.items())
        parsed = [parsed for _, parsed in by_name]
        return sorted(parsed, key=lambda parsed: parsed.is_openapi)

    def _parse(self, name: str) -> Parsed:
        path = self._root / name if name else self._root
        name = name or path.name
        try:
            return _parsed(name, _content(path))
        except (Invalid, *WRONG_KIND) as error:
            return Parsed(problems=[f"{name}: {reason_of(error)}"])
        except OSError as error:
            return Parsed(problems=[f"{name}: cannot be read: {error.strerror}"])


def _content(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise Invalid(f"is larger than the limit of {MOST_BYTES // 1_000_000} MB")

    return path.read_bytes()


def _parsed(name: str, content: bytes) -> Parsed:
    is_document = name.endswith((".json", *folder.DESCRIPTIONS))
    if is_document and "/" not in name:
        document = parse_json(content) if name.endswith(".json") else parse_yaml(content)
        if isinstance(document, Mapping) and openapi.is_openapi(document):
            entries, problems = openapi.entries_of(document, name)
            return Parsed(entries, problems, is_openapi=True)

    return Parsed(folder.entries_of(name, content))


def _stamps(root: Path) -> dict[str, Stamp]:
    """Return the stamp of each file by its path in the folder.

    If the root itself is a file, its path is empty.
    """
    if root.is_file():
        return {"": _stamp(root)}

    stamps = {}
    for parent, folders, files in os.walk(root):
        folders.sort()
        for file in files:
            path = Path(parent, file)
            name = path.relative_to(root).as_posix()
            if folder.is_served(name):
                stamps[name] = _stamp(path)
    return stamps


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)  # removed since, or a dangling link: reading it reports the problem

    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
