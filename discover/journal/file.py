"""The journal's file: a database of lines, bounded, that any end of the process leaves readable.

The only user of sqlite3. One thread writes; a reader opens the file for itself.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from catalog.asking.fields import printable
from catalog.asking.journal import Line
from catalog.errors import Unavailable
from discover.journal.proxy_story import Applied

VERSION = 1
LINES_MAX = 50_000
DAYS_MAX = 7
TRIM_EVERY = 500  # lines
BUSY_S = 2.0  # a reader holds nothing for long
CACHE_KB = 256
_NAMES = tuple(each.name for each in fields(Line))
_TYPES = {"id": "id INTEGER PRIMARY KEY"}
_COLUMNS = ", ".join(_TYPES.get(name, name) for name in _NAMES)
_TABLE = f"CREATE TABLE IF NOT EXISTS lines ({_COLUMNS})"
_LISTED, _PLACES = ", ".join(_NAMES), ", ".join("?" * len(_NAMES))
_INSERT = f"INSERT INTO lines ({_LISTED}) VALUES ({_PLACES})"  # noqa: S608
_SELECT = f"SELECT {_LISTED} FROM lines"  # noqa: S608
# What says that the file is damaged; all else says that it cannot be written now.
_BROKEN = ("malformed", "not a database", "no such table", "no such column", "has another version")


class Unkept(Unavailable):
    """The journal cannot be written now."""


class Broken(Unkept):
    """The file is no journal, or damaged."""


class JournalFile:
    """The file, open for writing. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._untrimmed = TRIM_EVERY

    def last_id(self) -> int:
        """Return the id of the newest line, 0 if there is none. Raises Unkept, and Broken."""
        with _errors(self._path):
            (last,) = self._opened().execute("SELECT max(id) FROM lines").fetchone()
            return last or 0

    def add(self, lines: Sequence[Line], applied: Iterable[Applied] = ()) -> None:
        """Write lines, and how earlier ones came to HAProxy.

        Raises Unkept, and Broken: then nothing of it is written.
        """
        with _errors(self._path):
            db = self._opened()
            with db:
                db.executemany(_INSERT, map(_values, lines))
                db.executemany(
                    "UPDATE lines SET how = ?, took_ms = ? WHERE id = ?",
                    ((it.how, it.took_ms, it.id) for it in applied),
                )
            self._trim(db, len(lines))

    def close(self) -> None:
        """Close it."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def move_aside(self) -> Path:
        """Give a broken file another name, so that a new one begins. Raises Unkept."""
        self.close()
        aside = self._path.with_name(f"{self._path.name}.broken")
        try:
            for end in ("-wal", "-shm"):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            self._path.replace(aside)
        except OSError as error:
            raise Unkept(f"{self._path}: {error.strerror}") from error
        return aside

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            db = _connected(self._path, "rwc")
            try:
                _prepare(db)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _trim(self, db: sqlite3.Connection, added: int) -> None:
        """Keep the file within its bounds; at the first write too."""
        self._untrimmed += added
        if self._untrimmed < TRIM_EVERY:
            return

        with db:
            oldest_ms = (time.time() - DAYS_MAX * 86400) * 1000
            db.execute("DELETE FROM lines WHERE at_ms < ?", (oldest_ms,))
            db.execute(
                "DELETE FROM lines WHERE id <= (SELECT max(id) FROM lines) - ?", (LINES_MAX,)
            )
        self._untrimmed = 0


@dataclass(frozen=True, slots=True)
class Query:
    """Which lines: those of a revision, time and names, before a place; the newest first."""

    since: int = 0
    since_ms: int = 0
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    before: int = 0
    after: int = 0  # a place
    limit: int = 100


def read(path: Path, query: Query) -> list[Line]:
    """Return the newest lines that a query asks for, the newest first. Raises Unkept."""
    if not path.exists():
        return []

    where, values = _where(query)
    text = f"{_SELECT} WHERE {where} ORDER BY id DESC LIMIT ?"
    with _errors(path), contextlib.closing(_connected(path, "ro")) as db:
        if not _is_made(db):
            return []
        rows = db.execute(text, (*values, query.limit)).fetchall()
    return [Line(**dict(zip(_NAMES, row, strict=True))) for row in rows]


def revision_at(path: Path, at_ms: int) -> int | None:
    """Return the newest revision that the journal had at a time; None if it begins later."""
    if not path.exists():
        return None

    text = "SELECT revision FROM lines WHERE at_ms <= ? ORDER BY id DESC LIMIT 1"
    with _errors(path), contextlib.closing(_connected(path, "ro")) as db:
        row = db.execute(text, (at_ms,)).fetchone() if _is_made(db) else None
    return int(row[0]) if row else None


def _is_made(db: sqlite3.Connection) -> bool:
    """Whether it is a journal by now: a reader may come while it is made."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return bool(version)


def _where(query: Query) -> tuple[str, list[object]]:
    parts = ["at_ms >= ?", "id > ?"]
    values: list[object] = [query.since_ms, query.after]
    if query.since:
        parts.append("revision > ?")
        values.append(query.since)
    if query.before:
        parts.append("id < ?")
        values.append(query.before)
    if query.kinds:
        parts.append(f"what IN ({', '.join('?' * len(query.kinds))})")
        values += query.kinds
    if query.names:
        named = "service GLOB ? OR name GLOB ? OR host = ? OR instance GLOB ?"
        parts.append(f"({' OR '.join([named] * len(query.names))})")
        for name in query.names:
            values += [name, name, name.removeprefix("host/"), f"{name}*"]
    return " AND ".join(parts), values


def _values(line: Line) -> tuple[str | int, ...]:
    values = (getattr(line, name) for name in _NAMES)
    return tuple(printable(value) if isinstance(value, str) else value for value in values)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    # A path may have what an address has not: `?` and `#`.
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_S, check_same_thread=False)


def _prepare(db: sqlite3.Connection) -> None:
    """Make a new file a journal; raise if another one is not whole, or of another version."""
    db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
    db.execute("PRAGMA journal_mode = WAL")
    # A power cut may cost the last lines, never the file.
    db.execute("PRAGMA synchronous = NORMAL")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        with db:
            db.execute(_TABLE)
            db.execute(f"PRAGMA user_version = {VERSION}")
    elif version != VERSION:
        raise sqlite3.DatabaseError(f"it has another version: {version}")
    else:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"malformed: {found}")


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        kind = Broken if any(word in str(error) for word in _BROKEN) else Unkept
        raise kind(f"{path}: {error}") from error
