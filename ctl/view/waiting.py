"""What is waited for, and whether the answers that came say that it is so. No I/O."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from catalog.asking.answer import Answer
from catalog.errors import Rejected
from ctl.asking import Heard
from ctl.fleet import Sidecar

Kind = Literal["ready", "real", "stub", "gone", "revision"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Codes that no time heals: somebody has to change something.
FINAL = (
    "BAD_LABEL", "BAD_NAME", "AMBIGUOUS_PORT", "PORT_CLAIMED", "QUARANTINED", "CRASH_LOOP",
    "NO_PUBLISHED_PORT", "START_FAILED",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for; `number` is how many instances, or the revision."""

    kind: Kind = "ready"
    number: int = 1


def goal_of(text: str) -> Goal:
    """Return the goal in such as `ready=2`. Raises Rejected."""
    word, equals, number = text.partition("=")
    takes = word in ("ready", "revision")
    for kind in KINDS:
        if word == kind and (not equals or (takes and re.fullmatch(r"[1-9]\d{0,17}", number))):
            return Goal(kind, int(number) if number else int(kind != "revision"))
    raise Rejected(f"{text!r} is none of ready, ready=N, stub, real, gone, revision, revision=R")


def place_of(refused: Mapping[str, Any]) -> str:
    """Return where a refusal is, without the beginning of a key that is the same for all."""
    return str(refused.get("where", "")).rpartition("/instances/")[2]


def is_up(row: Mapping[str, Any]) -> bool:
    """Whether HAProxy calls a server."""
    return str(row.get("state")).startswith(("UP", "no check")) and not row.get("draining")


def ups(answer: Answer) -> tuple[int, int]:
    """Return how many real instances and how many stubs HAProxy has up."""
    up = [row.get("role") for row in answer.rows if is_up(row)]
    return up.count("real"), up.count("stub")


def is_met(goal: Goal, answer: Answer) -> bool:
    """Whether the answer of a docker-discover says that it is so on its host."""
    if answer.status not in ("answer", "nothing"):
        return False

    real, stubs = ups(answer)
    match goal.kind:
        case "ready" | "real":
            return real >= goal.number
        case "stub":
            return stubs >= 1
        case "gone":
            return not answer.rows
    return False


@dataclass(slots=True)
class Wait:
    """One name that is waited for, and what each sidecar last said of it."""

    name: str
    goal: Goal
    waited_for: frozenset[Sidecar]
    last: dict[Sidecar, Answer] = field(default_factory=dict)

    def take(self, heard: Heard) -> None:
        """Note an answer."""
        self.last[heard.host, heard.side] = heard.answer

    def proxies(self, left: Collection[Sidecar] = ()) -> list[str]:
        """Return the hosts whose HAProxy has to say so; those that left are not waited for."""
        there = self.waited_for - frozenset(left)
        return sorted(host for host, side in there if side == "discover")

    def met(self, left: Collection[Sidecar] = ()) -> list[str]:
        """Return the hosts on which it is so."""
        return [
            host
            for host in self.proxies(left)
            if (answer := self.last.get((host, "discover"))) and is_met(self.goal, answer)
        ]

    def is_done(self, left: Collection[Sidecar] = ()) -> bool:
        """Whether it is so on every host."""
        hosts = self.proxies(left)
        return bool(hosts) and self.met(left) == hosts

    def final(self, left: Collection[Sidecar] = ()) -> str:
        """Return why no time heals it, or nothing.

        Only once all have answered, and if nothing of that name is published or called.
        """
        is_hopeful = self.goal.kind == "gone" or self.waited_for - frozenset(left) - set(self.last)
        if is_hopeful or any(row.get("published") for row in self._rows("register")):
            return ""
        if any(map(is_up, self._rows("discover"))):
            return ""

        if any(not _finals(row.get("refused", ())) for row in self._rows("register")):
            return ""  # another container may still come
        return next(map(_refusal, _finals(self._refused())), "")

    def why(self) -> str:
        """Return the first thing that is refused of it, or nothing."""
        return next(map(_refusal, self._refused()), "")

    def _rows(self, side: str) -> list[Mapping[str, Any]]:
        return [row for (_, by), it in self.last.items() if by == side for row in it.rows]

    def _refused(self) -> list[Mapping[str, Any]]:
        found = [it for row in self._rows("register") for it in row.get("refused", ())]
        return found + [row for it in self.last.values() for row in it.facts.get("refused", ())]

    def said(self, left: Collection[Sidecar] = ()) -> str:
        """Return how far it is, in one line."""
        hosts, met = self.proxies(left), self.met(left)
        counts = [
            ups(self.last[host, "discover"]) for host in hosts if (host, "discover") in self.last
        ]
        real, stubs = (min(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
        what = {
            "gone": "gone" if met else "still there",
            "stub": f"stub up {stubs}",
        }.get(self.goal.kind, f"ready {real}/{self.goal.number}")
        others = sorted(set(hosts) - set(met))
        return f"{what} on {len(met)} of {len(hosts)} hosts" + (
            f" (not: {', '.join(others)})" if others else ""
        )


def _finals(refused: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in refused if row.get("code") in FINAL]


def _refusal(row: Mapping[str, Any]) -> str:
    return f"{row.get('code')} {place_of(row)}: {row.get('text', '')}"
