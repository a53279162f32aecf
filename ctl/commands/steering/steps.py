"""What the commands that change instances have in common: find, ask, write, say who obeys."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from getpass import getuser
from platform import node
from typing import Any

import click

from catalog.errors import Rejected
from catalog.keys import OverrideKey
from catalog.overrides.override import Override, moment_of, sentence
from ctl.asking import Asking
from ctl.commands.shared import tell
from ctl.ends import DEADLINE, GUARD, INTERRUPTED, NO, NOT_FOUND, WRONG_USE, End
from ctl.overrides.left import Left, hosts_text, left_by_records, left_of
from ctl.overrides.seen import Seen, seen_now
from ctl.overrides.target import NotThere, Target, target_of
from ctl.overrides.written import Wanted, Written
from ctl.settings import Reach


@dataclass(slots=True)
class Steps:
    """One run of a command about one target; for one thread."""

    asking: Asking
    written: Written
    target: Target

    def own(self, kind: str) -> dict[OverrideKey, Override]:
        """Return the overrides of exactly this target that drain it, or weigh it."""
        found = {}
        for key, standing in self.written.standing.items():
            override = standing.override
            if override is None or not self.target.is_about(key, override):
                continue
            if override.state if kind == "drain" else override.weight is not None:
                found[key] = override
        return found

    def guard(self, *, force: bool) -> Left:
        """Say what would be left; end if callers would lose a service, and nobody forces it."""
        seen = seen_now(self.asking, self.target)
        if seen.rows:
            left = left_of(seen.rows)
        else:
            left = left_by_records(self.target, self.written.published)
            tell("no docker-discover says what is up: this is what stands in etcd")

        if not left.is_harmless:
            text = f"would leave without a real instance: {left.text}"
            if not force:
                raise End(GUARD, f"{text}\n  helps: start another one first, or --force")
            tell(f"forced: {text}")
        return left

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on a terminal."""
        is_terminal = sys.stdin.isatty() and sys.stderr.isatty()
        if is_terminal and not yes and not click.confirm(question, default=False, err=True):
            raise End(INTERRUPTED, "nothing was changed")

    def put(self, kind: str, for_s: float, **what: Any) -> None:
        """Put the overrides of this target. Raises End."""
        until_s = int(time.time() + for_s) if for_s else 0
        try:
            wanted = [
                Wanted(
                    key,
                    Override(by=me(), until_s=until_s, instance=instance, host=host, **what),
                )
                for key, instance, host in self.target.overrides(kind)
            ]
        except Rejected as error:
            raise End(WRONG_USE, str(error)) from error
        if not wanted:
            raise End(NOT_FOUND, f"{self.target.word} is not published now")
        self.written.put(wanted, for_s)
        self.written.look()

    def obeyed(self) -> Seen:
        """Return who obeys what was just written; say who does not."""
        seen = seen_now(self.asking, self.target)
        if seen.old:
            tell(f"too old to obey, and calls it as before: {', '.join(seen.old)}")
        if seen.behind:
            tell(f"has not said that it obeys: {', '.join(seen.behind)}")
        return seen


@contextlib.contextmanager
def steps_about(reach: Reach, word: str) -> Iterator[Steps]:
    """Find what a word means. Raises End."""
    written = Written(reach.access, reach.prefix)
    try:
        with Asking(reach.access, reach.prefix) as asking:
            written.look()
            try:
                target = target_of(word, written.published, written.hosts)
            except Rejected as error:
                raise End(WRONG_USE, str(error)) from error
            except NotThere as error:
                raise End(NOT_FOUND, str(error)) from error
            yield Steps(asking, written, target)
    finally:
        written.close()


def me() -> str:
    """Return who does it: the user and the machine."""
    try:
        user = getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{node()}"


def status_of(seen: Seen) -> int:
    """Return the exit status: whether every host obeys."""
    if seen.behind:
        return DEADLINE
    return NO if seen.old else 0


def on_hosts(seen: Seen) -> str:
    """Return on how many hosts it is so."""
    return hosts_text(seen.obeying, [*seen.hosts, *seen.old])


def until_text(for_s: float) -> str:
    """Return when it ends by itself."""
    return f"until {moment_of(int(time.time() + for_s))}"


def others(overrides: Sequence[Override]) -> str:
    """Return what stands already, for people."""
    return "; ".join(dict.fromkeys(sentence(it) for it in overrides))
