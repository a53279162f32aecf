"""Read the folder of answers, and read anew what was edited, when a request comes."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stub import folder, openapi
from stub.answers import ODD, Bad, Entry, Table, lines_of, said, table_of
from stub.documents import parse_json, parse_yaml

log = logging.getLogger(__name__)

LOOK_SHARE = 20  # looking whether anything was edited takes one part in so many of the time
MOST_BYTES = 50_000_000  # of one file; all are kept in memory

Stamp = tuple[int, int, int]  # time of the last change, size, inode


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says, and what is wrong with it."""

    entries: Sequence[Entry] = ()
    problems: Sequence[str] = ()
    is_openapi: bool = False


class Answers:
    """The table of all answers in a folder, or in a single file."""

    def __init__(self, root: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._now_s = now_s
        self._stamps: Mapping[str, Stamp] | None = None
        self._read: dict[str, Read] = {}
        self._table = Table()
        self._look_again_s = -1.0

    def table(self) -> Table:
        """Return the table: the same object as before if no file was edited."""
        began_s = self._now_s()
        if began_s < self._look_again_s:
            return self._table
        stamps = _stamps(self._root)
        if stamps != self._stamps:
            self._load(stamps)
        ended_s = self._now_s()
        self._look_again_s = ended_s + LOOK_SHARE * (ended_s - began_s)
        return self._table

    def _load(self, stamps: Mapping[str, Stamp]) -> None:
        before = self._stamps or {}
        kept = {
            name: read for name, read in self._read.items() if stamps.get(name) == before.get(name)
        }
        self._read = {name: kept.get(name) or self._of_file(name) for name in stamps}
        self._stamps = stamps
        # Files of one answer come first: one can stand before what an OpenAPI file says of the same path.
        in_order = [
            self._read[name]
            for name in sorted(self._read, key=lambda name: (self._read[name].is_openapi, name))
        ]
        entries = [entry for read in in_order for entry in read.entries]
        problems = [line for read in in_order for line in read.problems]
        if not stamps:
            problems.append(
                f"{self._root}: no files; mount a folder of answers, or an OpenAPI file, there: see --help"
            )
        for line in problems:
            if line not in self._table.problems:
                log.warning("%s", line)
        self._table = table_of(entries, problems)
        log.info("%d answers of %d files", len(lines_of(self._table)), len(stamps))

    def _of_file(self, name: str) -> Read:
        path = self._root / name if name else self._root
        name = name or path.name
        try:
            return _read(name, _content(path))
        except (Bad, *ODD) as error:
            return Read(problems=[f"{name}: {said(error)}"])
        except OSError as error:
            return Read(problems=[f"{name}: cannot be read: {error.strerror}"])


def _content(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise Bad(f"has more than {MOST_BYTES // 1_000_000} MB, which is the most")
    return path.read_bytes()


def _read(name: str, content: bytes) -> Read:
    if "/" not in name and name.endswith((".json", *folder.DESCRIPTIONS)):
        document = parse_json(content) if name.endswith(".json") else parse_yaml(content)
        if isinstance(document, Mapping) and openapi.is_openapi(document):
            return Read(*openapi.entries_of(document, name), is_openapi=True)
    return Read(folder.entries_of(name, content))


def _stamps(root: Path) -> dict[str, Stamp]:
    """Return the stamp of each file by its path in the folder; "" is the root itself, if that is a file."""
    if root.is_file():
        return {"": _stamp(root)}
    found = {}
    for parent, folders, files in os.walk(root):
        folders.sort()
        for file in files:
            path = Path(parent, file)
            name = path.relative_to(root).as_posix()
            if folder.is_served(name):
                found[name] = _stamp(path)
    return found


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)  # gone since, or a link to nowhere: reading it says so
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
