"""Tell which listeners HAProxy's complaints are about, by the lines or proxies they name. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from discover.model.proxy_config import Listener
from discover.text.sections import SECTIONS

_PLACE = re.compile(r"[\[( ](?P<file>/[^\[\]() ]+):(?P<line>\d+)[\])]")
_HEAD = re.compile(r"\s*(?:listen|frontend|backend)\s+(\S+)")
_QUOTED = re.compile(r"'([^']+)'")
_TOKEN = re.compile(r"[^\s'\"(),\[\]]+")


@dataclass(frozen=True, slots=True)
class Blame:
    """What HAProxy says about one listener.

    `exact`: not about a server's line, so that other servers would not help.
    """

    why: str
    exact: bool


def blamed(
    alerts: Iterable[str], file: str, text: str, listeners: Iterable[Listener]
) -> Mapping[str, Blame]:
    """Return the blame for each listener that HAProxy's alerts about a file are about."""
    blamer = _Blamer(text, {listener.name: listener for listener in listeners})
    found: dict[str, Blame] = {}

    for alert in alerts:
        places = [place for place in _PLACE.finditer(alert) if place["file"] == file]
        if places:
            blames = blamer.by_lines(alert, [int(place["line"]) for place in places])
        else:
            blames = blamer.by_proxies(alert)

        for name, blame in blames:
            found.setdefault(name, blame)

    return found


class _Blamer:
    """The lines of a text, and the listener that each belongs to."""

    def __init__(self, text: str, listeners: Mapping[str, Listener]) -> None:
        self._listeners = listeners
        self._lines = text.splitlines()
        self._owners = _owners(self._lines, listeners)
        heads = map(_HEAD.match, self._lines)
        self._proxies = {head[1] for head in heads if head}

    def by_lines(self, alert: str, numbers: Iterable[int]) -> Iterator[tuple[str, Blame]]:
        """Yield the listeners that these lines belong to, with their blame."""
        for number in numbers:
            name = self._owners[number - 1] if 0 < number <= len(self._lines) else ""
            if name:
                line = self._lines[number - 1].strip()
                why = _why(alert, line, self._listeners[name])
                yield name, Blame(why, exact=not line.startswith("server"))

    def by_proxies(self, alert: str) -> Iterator[tuple[str, Blame]]:
        """Yield the listeners that an alert names, with their blame."""
        for token in _TOKEN.findall(alert):
            proxy = token.partition("/")[0].rstrip(":.;")
            name = _owner(proxy, self._listeners) if proxy in self._proxies else ""
            if name:
                yield name, Blame(_why(alert, "", self._listeners[name]), exact=False)


def _owners(lines: Sequence[str], listeners: Mapping[str, Listener]) -> list[str]:
    """Return the listener that each line belongs to; empty for HAProxy as a whole."""
    owners: list[str] = []
    owner = ""

    for line in lines:
        words = line.split(maxsplit=1)
        if words and words[0] in SECTIONS:
            head = _HEAD.match(line)
            owner = _owner(head[1], listeners) if head else ""
        owners.append(owner)

    return owners


def _owner(proxy: str, listeners: Mapping[str, Listener]) -> str:
    """Return the listener that a proxy belongs to, `orders:80` for `orders:80:panic`."""
    while proxy not in listeners and proxy:
        proxy = proxy.rpartition(":")[0]
    return proxy


def _why(alert: str, line: str, listener: Listener) -> str:
    """Return HAProxy's words, and the origin of an operator's line or else the line itself.

    The file that HAProxy names may be gone when somebody reads this.

    If no line is known, the operator's line is the one that has one of the quoted words.
    """
    words = _PLACE.sub("", alert).removeprefix("parsing").lstrip(" :")
    quoted = set(_QUOTED.findall(alert)) - {listener.name}

    for own in listener.snippet:
        is_meant = own == line or (not line and quoted & set(own.split()))
        if is_meant:
            if own.origin:
                return f"{own.origin}: {words}"
            break

    return f"{words} [{line:.100}]" if line else alert
