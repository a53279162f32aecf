"""Hold listeners that HAProxy refuses at their last good form, each alone. No I/O."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from discover.model.proxy_config import Listener, ProxyConfig, Server
from discover.reasons import because
from discover.text.blame import Blame
from sidecar.memo import Memo
from sidecar.status.problems import Problem


@dataclass(frozen=True, slots=True)
class _Held:
    """A listener that is held."""

    wanted: Listener  # what was refused: only another one is tried
    good: Listener | None  # what ran then; None: it never ran
    bare: bool  # its new servers are refused too
    blame: Blame

    def form(self, now: Listener) -> Listener | None:
        """Return the last good form with the servers of now, or those of its own that stay."""
        if self.good is None:
            return None

        servers = _staying(self.good, now) if self.bare else now.servers
        return replace(self.good, binds=now.binds, routes=now.routes, servers=servers)

    def still_refused(self, now: Listener) -> bool:
        """Whether a listener shall be what was refused: HAProxy would only refuse it again."""
        return self._judged_by(self.wanted) == self._judged_by(now)

    def _judged_by(self, listener: Listener) -> Listener:
        """Return a listener without what cannot have been the reason for the refusal."""
        if self.blame.exact:
            return replace(listener, servers=())

        servers = tuple(replace(server, weight=1, draining=False) for server in listener.servers)
        return replace(listener, servers=servers)


def _staying(good: Listener, now: Listener) -> tuple[Server, ...]:
    """Return the servers of a good form that are still there, with the weights of now."""
    present = {(server.name, server.endpoint): server for server in now.servers}
    staying: list[Server] = []

    for server in good.servers:
        newer = present.get((server.name, server.endpoint))
        if newer is not None:
            staying.append(replace(server, weight=newer.weight, draining=newer.draining))

    return tuple(staying)


class Quarantine:
    """The listeners that are held. They follow the catalog as far as their last good form can."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        # The same form for the same listener: only what changed is laid out anew.
        self._forms: dict[str, Memo[Listener, Listener | None]] = {}

    def let_go(self, config: ProxyConfig) -> None:
        """Let go of listeners that are gone, or shall be other than what was refused."""
        if not self._held:
            return

        wanted = {listener.name: listener for listener in config.listeners}
        self._held = {
            name: held
            for name, held in self._held.items()
            if name in wanted and held.still_refused(wanted[name])
        }
        self._forms = {name: self._forms[name] for name in self._held}

    def laid_out(self, config: ProxyConfig) -> ProxyConfig:
        """Return the configuration with held listeners as they can be laid out."""
        if not self._held:
            return config

        forms = map(self._form, config.listeners)
        return replace(config, listeners=tuple(form for form in forms if form is not None))

    def hold(self, wanted: Listener, good: Listener | None, blame: Blame) -> bool:
        """Hold a listener one step further back; return False if no step is left."""
        before = self._held.get(wanted.name)
        tried = before.form(wanted) if before else wanted

        for bare in (False, True):
            step = _Held(wanted, good, bare, blame)
            was_tried = before is not None and before.bare >= bare
            if step.form(wanted) != tried and not was_tried:
                self._held[wanted.name] = step
                self._forms[wanted.name] = Memo(step.form)
                return True

        return False

    @property
    def names(self) -> Set[str]:
        """The listeners that are held."""
        return self._held.keys()

    @property
    def problems(self) -> Mapping[str, Problem]:
        """Why each listener is held, by its name."""
        problems: dict[str, Problem] = {}

        for name, held in self._held.items():
            state = "keeps its last good form" if held.good else "is left out"
            problems[name] = because("QUARANTINED", f"{name} {state}: {held.blame.why}")

        return problems

    def _form(self, listener: Listener) -> Listener | None:
        forms = self._forms.get(listener.name)
        return forms.get(listener) if forms else listener


def culprit(suspects: Sequence[str], refused: Callable[[frozenset[str]], bool]) -> str:
    """Return one that is refused whatever the others are, by halves.

    All together are refused; `refused` says so of some of them alone.
    """
    rest = list(suspects)

    while len(rest) > 1:
        half = rest[: len(rest) // 2]
        rest = half if refused(frozenset(half)) else rest[len(half) :]

    return rest[0]
