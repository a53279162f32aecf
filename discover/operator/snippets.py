"""Lines of the operator's own for single services, from files in a folder. Never from labels: these are not checked.

`<service>.cfg` is for all ports of a service, `<service>:<port>.cfg` for one. What HAProxy thinks of a line is found
out when it reads the whole; here only what would reach beyond the service is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from catalog.errors import Unavailable
from discover.model.config import Listener, ProxyConfig, Verbatim
from discover.model.names import listener_name
from discover.text.sections import SECTIONS
from sidecar.atomic_files import read

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
    lines, refused = [], ""
    for number, raw in enumerate(text.splitlines(), start=1):
        if (stripped := raw.strip()) and not stripped.startswith("#"):
            line = Verbatim(stripped)
            line.origin = f"snippet {file} line {number}"
            lines.append(line)
            if not refused and (why := _beyond(stripped)):
                refused = f"{line.origin}: {why}"
    return Snippet(tuple(lines), refused)


def _beyond(line: str) -> str:
    """Return why a line would be more than a line of its service, or nothing."""
    words = [word for word in line.split()[:3] if word not in ("no", "default")]
    first = words[0] if words else ""
    if not line.isprintable():
        return "there is a character that cannot be printed"
    if first in SECTIONS:
        return f"{first!r} would begin a new section; one of your own belongs in the template's block `sections`"
    if first in _OURS:
        return f"{first!r}: addresses and servers come from the catalog"
    if first == "disabled":
        return "'disabled': it would leave the service's port to anybody"
    if set(first) & set("\"'\\$") or first.startswith("."):
        return f"{first!r}: the first word has to be a plain keyword"
    return "a line cannot go on in the next one" if line.endswith("\\") else ""


class SnippetFolder:
    """The folder; a file that did not change stays the same object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[str, Snippet]] = {}

    def read(self) -> Snippets:
        """Return all snippets; none where there is no folder."""
        found = {}
        for path in sorted(self._path.glob(f"*{SUFFIX}")) if self._path.is_dir() else ():
            try:
                text = read(path)
            except Unavailable as error:
                # The line is there to differ from no snippet: it is never laid out.
                found[path.stem] = (
                    str(error),
                    Snippet((Verbatim(f"# {error}"),), f"snippet {error}"),
                )
                continue
            if text is None:
                continue  # it went this moment
            known = self._known.get(path.stem)
            found[path.stem] = (
                known if known and known[0] == text else (text, snippet_of(path.name, text))
            )
        self._known = found
        return {name: snippet for name, (_, snippet) in found.items()}


@dataclass(slots=True)
class Inserted:
    """Puts snippets into listeners: for the same listener and the same snippet it is the same object again."""

    _known: dict[str, tuple[Listener, tuple[Verbatim, ...], Listener]] = field(default_factory=dict)

    def into(
        self, config: ProxyConfig, snippets: Snippets
    ) -> tuple[ProxyConfig, Mapping[str, str]]:
        """Return the configuration with its snippets, and why those of which listeners cannot be used."""
        refused: dict[str, str] = {}
        known, self._known = self._known, {}
        listeners = []
        for listener in config.listeners:
            both = _of(listener, snippets) if snippets else ()
            if both or listener.snippet:
                lines = tuple(line for snippet in both for line in snippet.lines)
                found = known.get(listener.name)
                if found is None or found[0] is not listener or found[1] != lines:
                    found = (listener, lines, replace(listener, snippet=lines))
                self._known[listener.name] = found
                listener = found[2]  # noqa: PLW2901
                if bad := [snippet.refused for snippet in both if snippet.refused]:
                    refused[listener.name] = bad[0]
            listeners.append(listener)
        return (replace(config, listeners=tuple(listeners)) if self._known else config), refused


def _of(listener: Listener, snippets: Snippets) -> Sequence[Snippet]:
    # Not the listener's own name: that is another one where only the door leads to it.
    names = (listener.service, listener_name(listener.service, listener.port))
    return [snippets[name] for name in names if name in snippets]
