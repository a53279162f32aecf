"""Ask every host's docker-discover what draining leaves, who obeys, and who has connections."""

import time
from dataclasses import dataclass, field

from catalog.asking.ask import EVERY_MS_MIN, OVERRIDES, Ask
from ctl.asking import Asking, Heard
from ctl.overrides.left import Rows, sessions_of
from ctl.overrides.target import Target

WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What hosts say. `hosts` could say it, `behind` have not applied it, `old` never obey."""

    rows: Rows = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    old: tuple[str, ...] = ()

    @property
    def obeying(self) -> tuple[str, ...]:
        """The hosts whose HAProxy runs all that was written before the question."""
        return tuple(host for host in self.hosts if host not in self.behind)


def seen_now(asking: Asking, target: Target) -> Seen:
    """Return what hosts say once they have applied all that was written before."""
    last: dict[str, Heard] = {}
    asked = Ask(OVERRIDES, target.word, by="tandem", arguments=target.arguments)
    answers = asking.ask(
        asked, WITHIN_S, sides=("discover",), enough=lambda heard: _is_current(asking, heard)
    )
    for heard in answers:
        _take(last, heard)

    return _seen(asking, last)


def seen_idle(asking: Asking, target: Target, until_s: float) -> Seen:
    """Return what hosts say once none has a connection left, or when the time is over."""
    last: dict[str, Heard] = {}
    asked = Ask(
        OVERRIDES, target.word, every_ms=EVERY_MS_MIN, by="tandem", arguments=target.arguments
    )
    within_s = max(0.0, until_s - time.monotonic())
    for heard in asking.ask(asked, within_s, sides=("discover",), enough=lambda _heard: False):
        _take(last, heard)
        waited_for = {host for host, _side in asking.missing - asking.left}
        told = {host for host, it in last.items() if _is_current(asking, it)}
        if waited_for <= told and not sessions_of(_rows(last)):
            break

    return _seen(asking, last)


def _take(last: dict[str, Heard], heard: Heard) -> None:
    """Note what a docker-discover says; a docker-register says only that it does not know."""
    if heard.side == "discover":
        last[heard.host] = heard


def _is_current(asking: Asking, heard: Heard) -> bool:
    """Whether an answer is of a HAProxy that runs all that was written before the question."""
    reached = heard.answer.facts.get("revision")
    is_answer = heard.answer.status == "answer"
    return is_answer and isinstance(reached, int) and reached >= asking.revision


def _seen(asking: Asking, last: dict[str, Heard]) -> Seen:
    left = {host for host, _side in asking.left}
    old = {host for host, side in asking.unable if side == "discover"}
    hosts = sorted(asking.fleet.proxies.keys() - old - left)

    behind = [host for host in hosts if host not in last or not _is_current(asking, last[host])]
    return Seen(_rows(last), tuple(hosts), tuple(behind), tuple(sorted(old)))


def _rows(last: dict[str, Heard]) -> Rows:
    return {host: it.answer.rows for host, it in last.items() if it.answer.status == "answer"}
