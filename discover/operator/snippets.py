"""The operator's own lines for single services, from files in a folder; they are not checked.

So they never come from labels. `<service>.cfg` is for all ports of a service, and
`<service>:<port>.cfg` for one. HAProxy says what it thinks of a line when it reads the whole. Here
only what would reach beyond the service is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.errors import Unavailable
from discover.model.proxy_config import Listener, ProxyConfig, Verbatim, listener_name
from discover.text.sections import SECTIONS
from sidecar.atomic_files import read
from sidecar.memo import MemoByName

SUFFIX = ".cfg"
_OURS = frozenset({"bind", "server", "server-template"})


@dataclass(frozen=True, slots=True)
class Snippet:
    """The lines of a file, and why they cannot be used, or nothing."""

    lines: tuple[Verbatim, ...]
    refused: str = ""


Snippets = Mapping[str, Snippet]  # by the file's name without its suffix


def snippet_of(file: str, text: str) -> Snippet:
    """Return the lines of a file, without comments; the first that cannot be used is named."""
    lines: list[Verbatim] = []
    refused = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue

        line = Verbatim(stripped)
        line.origin = f"snippet {file} line {number}"
        lines.append(line)
        why = _beyond(stripped)
        if why and not refused:
            refused = f"{line.origin}: {why}"

    return Snippet(tuple(lines), refused)


def _unreadable(why: str) -> Snippet:
    # The line only makes it differ from no snippet: it is never laid out.
    return Snippet((Verbatim(f"# {why}"),), refused=f"snippet {why}")


def _beyond(line: str) -> str:
    """Return why a line would be more than a line of its service, or nothing."""
    words = [word for word in line.split()[:3] if word not in ("no", "default")]
    first = words[0] if words else ""
    if not line.isprintable():
        return "it has an unprintable character"
    if first in SECTIONS:
        return (
            f"{first!r} would begin a new section; "
            "put your own sections into the template's block `sections`"
        )
    if first in _OURS:
        return f"{first!r}: addresses and servers come from the catalog"
    if first == "disabled":
        return "'disabled': it would leave the service's port to other programs"
    if set(first) & set("\"'\\$") or first.startswith("."):
        return f"{first!r}: the first word must be a plain keyword"
    return "a line cannot continue on the next one" if line.endswith("\\") else ""


@dataclass(frozen=True, slots=True)
class _File:
    """What a file says, or why it cannot be read."""

    name: str
    text: str
    error: str = ""

    def snippet(self) -> Snippet:
        return _unreadable(self.error) if self.error else snippet_of(self.name, self.text)


class SnippetFolder:
    """The folder; the snippet of a file that did not change stays the same object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._memo = MemoByName[_File, Snippet](lambda _name, file: file.snippet())

    def read(self) -> Snippets:
        """Return all snippets; none where there is no folder."""
        if not self._path.is_dir():
            return self._memo.get({})

        files = {}
        for path in sorted(self._path.glob(f"*{SUFFIX}")):
            file = _read(path)
            if file is not None:
                files[path.stem] = file
        return self._memo.get(files)


def _read(path: Path) -> _File | None:
    """Return a file; None if it has gone this moment."""
    try:
        text = read(path)
    except Unavailable as error:
        return _File(path.name, "", str(error))
    return None if text is None else _File(path.name, text)


_Lines = tuple[Verbatim, ...]


class Inserted:
    """Listeners with snippets: for the same listener and the same lines, the same object."""

    def __init__(self) -> None:
        self._memo = MemoByName(_with_lines)

    def into(
        self, config: ProxyConfig, snippets: Snippets
    ) -> tuple[ProxyConfig, Mapping[str, str]]:
        """Return the configuration with its snippets, and by listener why one cannot be used."""
        changed: dict[str, tuple[Listener, _Lines]] = {}
        refused: dict[str, str] = {}
        for listener in config.listeners:
            own = _of(listener, snippets) if snippets else ()
            if not own and not listener.snippet:
                continue

            lines = tuple(line for snippet in own for line in snippet.lines)
            changed[listener.name] = (listener, lines)
            reasons = [snippet.refused for snippet in own if snippet.refused]
            if reasons:
                refused[listener.name] = reasons[0]

        inserted = self._memo.get(changed)
        if not inserted:
            return config, refused

        listeners = tuple(inserted.get(it.name, it) for it in config.listeners)
        return replace(config, listeners=listeners), refused


def _with_lines(_name: str, given: tuple[Listener, _Lines]) -> Listener:
    listener, lines = given
    return replace(listener, snippet=lines)


def _of(listener: Listener, snippets: Snippets) -> Sequence[Snippet]:
    # By the service: the listener's own name is another one where only the door leads to it.
    names = (listener.service, listener_name(listener.service, listener.port))
    return [snippets[name] for name in names if name in snippets]
