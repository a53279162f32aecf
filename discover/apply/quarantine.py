"""Who stays at its last good form, alone, as HAProxy refuses what it shall be; and whom a refusal is about. No I/O."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from discover.model.config import Listener, ProxyConfig, Server
from discover.reasons import because
from discover.text.sections import SECTIONS
from sidecar.problems import Problem

_PLACE = re.compile(r"[\[( ](?P<file>/[^\[\]() ]+):(?P<line>\d+)[\])]")
_HEAD = re.compile(r"\s*(?:listen|frontend|backend)\s+(\S+)")
_QUOTED = re.compile(r"'([^']+)'")
_TOKEN = re.compile(r"[^\s'\"(),\[\]]+")


@dataclass(frozen=True, slots=True)
class Blame:
    """What HAProxy says about one listener; `exact`: the line is not a server's, so other servers help nothing."""

    why: str
    exact: bool


@dataclass(frozen=True, slots=True)
class _Held:
    wanted: Listener  # what was refused: only another one is tried
    good: Listener | None  # what ran when it was; None: it never did
    bare: bool  # its new servers are refused too
    blame: Blame


class Quarantine:
    """The listeners that are held. They follow the catalog as far as their last good form can."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._forms: dict[str, tuple[Listener, Listener | None]] = {}

    def laid_out(self, config: ProxyConfig) -> ProxyConfig:
        """Return the configuration with held listeners as they can be; who shall be another now is let go."""
        if not self._held:
            return config
        listeners = {listener.name: listener for listener in config.listeners}
        held = {n: h for n, h in self._held.items() if n in listeners and _same(h, listeners[n])}
        self._held = held
        if not held:
            return config
        forms = [
            self._form(held[n], listener) if n in held else listener
            for n, listener in listeners.items()
        ]
        return replace(config, listeners=tuple(form for form in forms if form is not None))

    def hold(self, wanted: Listener, good: Listener | None, blame: Blame) -> bool:
        """Hold a listener one step further back; False if no step is left that could help."""
        before = self._held.get(wanted.name)
        tried: Listener | None = _form(before, wanted) if before else wanted
        for bare in (False, True):
            step = _Held(wanted, good, bare, blame)
            if _form(step, wanted) != tried and not (before and before.bare >= bare):
                self._held[wanted.name] = step
                self._forms.pop(wanted.name, None)
                return True
        return False

    @property
    def names(self) -> Set[str]:
        """Who is held."""
        return self._held.keys()

    @property
    def problems(self) -> Mapping[str, Problem]:
        """Why which listener is held, by its name."""
        texts = {
            name: f"{name} {'stays as it was' if held.good else 'is left out'}: {held.blame.why}"
            for name, held in self._held.items()
        }
        return {name: because("QUARANTINED", text) for name, text in texts.items()}

    def _form(self, held: _Held, listener: Listener) -> Listener | None:
        # The same object for the same listener: only what changed is laid out anew.
        found = self._forms.get(listener.name)
        if found is None or found[0] is not listener:
            found = self._forms[listener.name] = (listener, _form(held, listener))
        return found[1]


def _form(held: _Held, now: Listener) -> Listener | None:
    """Return what can be laid out: the last good form with the servers of now, or with those it had and still has."""
    if held.good is None:
        return None
    if not held.bare:
        return replace(held.good, binds=now.binds, routes=now.routes, servers=now.servers)
    present = {(server.name, server.endpoint): server for server in now.servers}
    stay = tuple(
        _as_now(s, present[place])
        for s in held.good.servers
        if (place := (s.name, s.endpoint)) in present
    )
    return replace(held.good, binds=now.binds, routes=now.routes, servers=stay)


def _as_now(server: Server, now: Server) -> Server:
    return replace(server, weight=now.weight, draining=now.draining)


def _same(held: _Held, now: Listener) -> bool:
    """Whether a listener shall be what was refused: then HAProxy would only say it again."""
    return _input(held, held.wanted) == _input(held, now)


def _input(held: _Held, listener: Listener) -> Listener:
    if held.blame.exact:
        return replace(listener, servers=())
    return replace(
        listener, servers=tuple(replace(s, weight=1, draining=False) for s in listener.servers)
    )


def blamed(
    alerts: Iterable[str], file: str, text: str, listeners: Iterable[Listener]
) -> Mapping[str, Blame]:
    """Return whom HAProxy's complaints about a text are about, by the lines or the proxies that they name."""
    known = {listener.name: listener for listener in listeners}
    lines = text.splitlines()
    owners = _owners(lines, known)
    proxies = {head[1] for line in lines if (head := _HEAD.match(line))}
    found: dict[str, Blame] = {}
    for alert in alerts:
        numbers = [int(place["line"]) for place in _PLACE.finditer(alert) if place["file"] == file]
        for number in numbers:
            if 0 < number <= len(lines) and (name := owners[number - 1]):
                line = lines[number - 1].strip()
                found.setdefault(
                    name,
                    Blame(_said(alert, line, known[name]), exact=not line.startswith("server")),
                )
        if not numbers:
            tokens = (token.partition("/")[0].rstrip(":.;") for token in _TOKEN.findall(alert))
            for name in filter(
                None, (_owner(token, known) for token in tokens if token in proxies)
            ):
                found.setdefault(name, Blame(_said(alert, "", known[name]), exact=False))
    return found


def _owners(lines: Sequence[str], known: Mapping[str, Listener]) -> list[str]:
    """Return for each line whose it is; nothing for those of the whole."""
    owners, owner = [], ""
    for line in lines:
        if line.split(maxsplit=1)[:1] and line.split(maxsplit=1)[0] in SECTIONS:
            head = _HEAD.match(line)
            owner = _owner(head[1], known) if head else ""
        owners.append(owner)
    return owners


def _owner(proxy: str, known: Mapping[str, Listener]) -> str:
    """Return the listener that a section is of: `orders:80`, or what is behind it, such as `orders:80:panic`."""
    while proxy not in known and proxy:
        proxy = proxy.rpartition(":")[0]
    return proxy


def _said(alert: str, line: str, listener: Listener) -> str:
    """Return HAProxy's words, and where their line was written if an operator did, else the line: its file may be gone.

    Without a line it is the one that has one of those words.
    """
    words = _PLACE.sub("", alert).removeprefix("parsing").lstrip(" :")
    quoted = set(_QUOTED.findall(alert)) - {listener.name}
    own = (
        each
        for each in listener.snippet
        if each == line or (not line and quoted & set(each.split()))
    )
    if origin := next((each.origin for each in own), ""):
        return f"{origin}: {words}"
    return f"{words} [{line:.100}]" if line else alert


def culprit(suspects: Sequence[str], refused: Callable[[frozenset[str]], bool]) -> str:
    """Return one that is refused, by halves; `refused` tells it of some alone, and all of them together are."""
    rest = list(suspects)
    while len(rest) > 1:
        half = rest[: len(rest) // 2]
        rest = half if refused(frozenset(half)) else rest[len(half) :]
    return rest[0]
