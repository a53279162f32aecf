"""What is waited for, and whether the answers that came say that it is so. No I/O."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.asking.goal import Goal, goal_of
from ctl.asking import Heard
from ctl.fleet import Sidecar
from ctl.view.remedies import remedy

__all__ = ["Goal", "Wait", "goal_of", "is_up", "place_of"]

# Codes that no time heals: somebody has to change something.
FINAL = (
    "BAD_LABEL", "BAD_NAME", "AMBIGUOUS_PORT", "PORT_CLAIMED", "PORT_RESERVED", "NAME_TAKEN",
    "QUARANTINED", "CRASH_LOOP", "NO_PUBLISHED_PORT", "LOOPBACK_ONLY", "BRIDGE_ONLY",
    "WRONG_FAMILY", "NO_NETWORK", "HOST_PORT_UNKNOWN", "START_FAILED",
)  # fmt: skip
# What nobody offers cannot come; all other goals may be reached without an instance.
_NEEDS_INSTANCE = ("ready", "real", "stub")

Row = Mapping[str, Any]


def place_of(refused: Row) -> str:
    """Return where a refusal is, without the beginning of a key that is the same for all."""
    return str(refused.get("where", "")).rpartition("/instances/")[2]


def said_at(refused: Row) -> str:
    """Return where something is refused, and why; once, where the reason begins with the place."""
    place, text = place_of(refused), str(refused.get("text", ""))
    return text if text.startswith(f"{place} ") else f"{place}: {text}"


def is_up(row: Row) -> bool:
    """Whether HAProxy calls a server."""
    return str(row.get("state")).startswith(("UP", "no check")) and not row.get("draining")


@dataclass(slots=True)
class Wait:
    """Names that are waited for, and what each sidecar last said of them."""

    names: tuple[str, ...]
    goal: Goal
    is_any: bool = False  # one of the names is enough
    hosts: set[str] = field(default_factory=set)  # whose docker-discover has to say so
    said: dict[str, Mapping[str, Row]] = field(default_factory=dict)  # by host and name
    failed: dict[str, str] = field(default_factory=dict)  # by host: why it gives no answer
    registers: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    since_s: dict[str, float] = field(default_factory=dict)  # by name: when it became so

    def take(self, heard: Heard) -> None:
        """Note an answer; one that has just come is asked too."""
        if heard.side == "register":
            self.registers[heard.host] = heard.answer.rows
            return

        self.hosts.add(heard.host)
        is_answer = heard.answer.status == "answer"
        rows = heard.answer.rows if is_answer else ()
        self.said[heard.host] = {str(row.get("name")): row for row in rows}
        self.failed.pop(heard.host, None)
        if not is_answer:
            self.failed[heard.host] = heard.answer.text

        for name in self.names:
            if not self.is_so(name):
                self.since_s.pop(name, None)
            else:
                self.since_s.setdefault(name, heard.after_s)

    def asked(self, left: Collection[Sidecar] = ()) -> list[str]:
        """Return the hosts that have to say so; those that left are not waited for."""
        return sorted(self.hosts - {host for host, side in left if side == "discover"})

    def met(self, name: str, left: Collection[Sidecar] = ()) -> list[str]:
        """Return the hosts on which it is so."""
        return [host for host in self.asked(left) if self._row(host, name).get("is") is True]

    def is_so(self, name: str, left: Collection[Sidecar] = ()) -> bool:
        """Whether it is so of a name on every host."""
        hosts = self.asked(left)
        return bool(hosts) and len(self.met(name, left)) == len(hosts)

    def is_done(self, left: Collection[Sidecar] = ()) -> bool:
        """Whether it is so of all names, or of one of them if that is enough."""
        so = [self.is_so(name, left) for name in self.names]
        return any(so) if self.is_any else all(so)

    def hopeless(self, left: Collection[Sidecar] = ()) -> Mapping[str, Row]:
        """Return what is refused, by name, of those that no time heals; {} while there is hope.

        Only once all have answered. If one of the names is enough, all have to be hopeless.
        """
        is_early = bool(set(self.asked(left)) - self.said.keys())
        if is_early or self.goal.kind not in _NEEDS_INSTANCE:
            return {}

        found = {name: why for name in self.names if (why := self._final(name)) is not None}
        is_over = len(found) == len(self.names) if self.is_any else bool(found)
        return found if is_over else {}

    def _final(self, name: str) -> Row | None:
        """Return what is refused of a name for good, if nothing of it is called or may come."""
        if any(row.get("real") or row.get("stubs") for row in self._rows(name)):
            return None

        of_proxies = [it for row in self._rows(name) for it in _finals(row.get("refused", ()))]
        containers = self._containers(name)
        by_container = [_finals(row.get("refused", ())) for row in containers]

        may_come = any(row.get("is_published") for row in containers) or not all(by_container)
        if containers and may_come and not of_proxies:
            return None

        refused = [it for each in by_container for it in each] + of_proxies
        return refused[0] if refused else None

    def _containers(self, name: str) -> list[Row]:
        """Return what docker-registers say of the containers that a name is about."""
        return [row for rows in self.registers.values() for row in rows if row.get("name") == name]

    def is_refused_by_proxies(self, names: Iterable[str]) -> bool:
        """Whether docker-discovers refuse all of these: then they stand in etcd."""
        return all(any(row.get("refused") for row in self._rows(name)) for name in names)

    def lines(self, name: str, left: Collection[Sidecar] = (), after_s: float = 0.0) -> list[str]:
        """Return how far a name is: first in one line, then what each host lacks."""
        hosts, met = self.asked(left), self.met(name, left)
        spent_s = self.since_s.get(name, after_s)
        lines = [f"{name}  {self._what(name, hosts)} on {len(met)} of {len(hosts)} hosts"]
        lines[0] += f"  {spent_s:.1f} s"
        return lines + [f"  {host}  {self._lack(host, name)}" for host in hosts if host not in met]

    def document(
        self, left: Collection[Sidecar] = (), after_s: float = 0.0
    ) -> Mapping[str, object]:
        """Return how far all names are, for programs."""
        hosts = self.asked(left)
        names = [
            {
                "name": name,
                "is": self.is_so(name, left),
                "after_s": round(self.since_s.get(name, after_s), 3),
                "hosts": {
                    host: "" if host in self.met(name, left) else self._lack(host, name)
                    for host in hosts
                },
            }
            for name in self.names
        ]
        return {"for": str(self.goal), "names": names}

    def _what(self, name: str, hosts: Iterable[str]) -> str:
        rows = [self._row(host, name) for host in hosts]
        if self.goal.kind not in ("ready", "real"):
            return self.goal.kind

        up = min((int(row.get("real", 0)) for row in rows), default=0)
        there = max((int(row.get("of", 0)) for row in rows), default=0)
        return f"ready {up}/{max(there, self.goal.number)}"

    def _lack(self, host: str, name: str) -> str:
        """Return why it is not so on a host, in the last words that came from there."""
        if host in self.failed:
            return self.failed[host]
        row = self._row(host, name)
        if not row:
            return "silent: its docker-discover has not answered"

        counts = [f"{row[key]} {word}" for key, word in _COUNTS.items() if row.get(key)]
        said = [*counts, str(row.get("said", ""))]
        said += [refusal_line(it) for it in row.get("refused", ())]
        return "; ".join(filter(None, said)) or "nothing of that name"

    def why(self, name: str) -> str:
        """Return what docker-registers refuse of a name, or nothing."""
        refused = [it for row in self._containers(name) for it in row.get("refused", ())]
        return refusal_line(refused[0]) if refused else ""

    def _row(self, host: str, name: str) -> Row:
        return self.said.get(host, {}).get(name, {})

    def _rows(self, name: str) -> list[Row]:
        return [rows[name] for rows in self.said.values() if name in rows]


_COUNTS = {
    "real": "real up",
    "stubs": "stubs up",
    "draining": "draining",
    "sessions": "connections left",
}


def _finals(refused: Iterable[Row]) -> list[Row]:
    return [row for row in refused if row.get("code") in FINAL]


def refusal_line(row: Row) -> str:
    """Return a refusal in one line."""
    return f"{row.get('code')} {said_at(row)}"


def with_help(row: Row) -> str:
    """Return a refusal, and what helps."""
    help_ = remedy(str(row.get("code")))
    return refusal_line(row) + (f"\n  helps: {help_}" if help_ else "")
