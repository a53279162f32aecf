"""One run of `tandem intercept`: begin, say where it counts, hold, give the calls back."""

import contextlib
import queue
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from catalog.errors import Rejected, Unavailable
from catalog.overrides.override import Override
from ctl.asking import Asking
from ctl.ends import DEADLINE, DONE, GUARD, NO, UNREACHABLE, End
from ctl.intercepts import target
from ctl.intercepts.child import NOT_FOUND, SIGNALLED, Child
from ctl.intercepts.holding import AGAIN_S, LEASE_S, Holding, Rival
from ctl.intercepts.spread import Spread, spread_of
from ctl.intercepts.wish import Wish, calls_text, hosts_text, moment_text
from ctl.settings import Reach

APPLIED_S = 5.0  # a host reloads HAProxy at the first intercept of its life
STARTED_S = 60.0  # a command that is also the program
LOOK_S = 0.2
LONGEST_S = 60.0  # a clock may be set, and a machine may sleep
OVER = "its time is over"
CHILD = "child"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be, and the command that it shall last as long as."""

    name: str  # of the service, as it was named
    wish: Wish
    override: Override
    take: bool
    command: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The service and its calls, for people."""
        return f"{self.name}: {calls_text(self.override)}"


class Session:
    """For one thread. `say` prints what is the result, `tell` all else."""

    def __init__(self, reach: Reach, plan: Plan, say: Say, tell: Say) -> None:
        self._say = say
        self._tell = tell
        self._reach = reach
        self._plan = plan
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._child: Child | None = None
        self._holding = Holding(
            reach.access, reach.prefix, plan.wish.service, plan.override, self._news.put
        )

    def run(self) -> int:
        """Return the exit status; raises End."""
        with self._holding:
            try:
                self._prepare()
                self._begin(take=self._plan.take)
                if self._plan.command and self._child is None:
                    self._start()
                return self._hold()
            except KeyboardInterrupt:
                self._holding.end()
                self._tell(f"{self._plan.what} go where they always go")
                raise
            finally:
                if self._child is not None:
                    self._child.end()

    def _prepare(self) -> None:
        """See that the calls are free, and that something accepts them; start it if need be."""
        at = self._plan.override.to
        try:
            self._holding.check(take=self._plan.take)
        except Rival as rival:
            raise self._refused(rival) from rival

        why = target.refusal(at)
        if why and not self._plan.command:
            raise End(
                NO, f"nothing accepts connections at {at} from here ({why}): {target.hint(at)}"
            )
        if why:
            self._start()
            self._await_target(at)

    def _await_target(self, at: str) -> None:
        until_s = time.monotonic() + STARTED_S
        while target.refusal(at):
            if self._child is not None and self._child.has_ended:
                text = f"{self._plan.command[0]} ended, and nothing accepted connections at {at}"
                raise End(self._child.status() or NO, text)
            if time.monotonic() > until_s:
                raise End(DEADLINE, f"nothing accepts connections at {at}: {target.hint(at)}")
            with contextlib.suppress(queue.Empty):
                self._news.get(timeout=LOOK_S)

    def _start(self) -> None:
        try:
            self._child = Child(self._plan.command, lambda: self._news.put(CHILD))
        except Rejected as error:
            raise End(NOT_FOUND, str(error)) from error

    def _begin(self, *, take: bool) -> None:
        """Write it, and say where it counts. Raises End where nobody else shall have written it."""
        try:
            self._holding.begin(take=take)
        except Rival as rival:
            raise self._refused(rival) from rival

        found = self._spread()
        complaints = list(found.complaints(APPLIED_S))
        if not found.applied:
            text = "\n".join([f"{self._plan.what} stay where they are", *complaints])
            raise End(_status_of(found), text)
        self._say_where(found)

    def _begin_again(self) -> End | None:
        """Write it once more, as soon as etcd can be reached; return why that is not to be."""
        while not self._is_over:
            try:
                self._holding.begin(take=False)
                self._say_where(self._spread())
            except Rival as rival:
                return End(GUARD, f"{rival.override.by} has them now")
            except Unavailable:
                self._pause()
            else:
                return None
        return End(DONE, OVER)

    def _spread(self) -> Spread:
        with Asking(self._reach.access, self._reach.prefix) as asking:
            return spread_of(asking, self._holding.key, self._plan.override.only, APPLIED_S)

    def _say_where(self, found: Spread) -> None:
        """Say where it counts: no host is said to do it before it does."""
        if found.applied:
            self._say(self._said(found))
        for complaint in found.complaints(APPLIED_S):
            self._tell(complaint)

    def _said(self, found: Spread) -> str:
        override = self._plan.override
        until = moment_text(override.until_s, time.time())
        end = f"{self._plan.command[0]} ends" if self._plan.command else "this ends (^C)"
        return (
            f"{self._plan.name} on {hosts_text(found.applied)}: {calls_text(override)} "
            f"go to {override.to} until {until}, or until {end}"
        )

    def _refused(self, rival: Rival) -> End:
        its = rival.override
        until = f" until {moment_text(its.until_s, time.time())}" if its.until_s else ""
        why = f" ({its.why})" if its.why else ""
        return End(
            GUARD,
            f"{self._plan.what} go to {its.by} at {its.to}{until}{why}: --take moves them here",
        )

    def _hold(self) -> int:
        """Wait for its end, whichever comes first, and return the exit status."""
        while not self._is_over:
            left_s = self._plan.override.until_s - time.time()
            try:
                news = self._news.get(timeout=max(0.0, min(left_s, LONGEST_S)))
            except queue.Empty:
                continue
            except KeyboardInterrupt:
                if self._child is None:
                    raise
                self._child.interrupt()
                continue

            why = self._heard(news)
            if why is not None:
                return self._without(why)

        if self._child is not None and self._child.has_ended:
            return self._child.status()
        return self._without(End(DONE, OVER))

    def _without(self, why: End) -> int:
        """Go on without the calls: to the end of the command, if there is one."""
        self._holding.end()
        text = f"{self._plan.what} go where they always go: {why.text}"
        if self._child is None:
            raise End(why.status, text)

        self._tell(text)
        return self._child.status()

    def _heard(self, news: str) -> End | None:
        """Say what is news; return why it is over, if it is."""
        what = self._plan.what
        match news:
            case "away":
                why = f"etcd has not been reached for {LEASE_S} s"
                self._tell(f"{what} go where they always go: {why}")
                return None
            case "back":
                self._tell(f"{what} come again: etcd is reached")
                return None

        fate, who = self._fate() if news == "gone" else ("there", "")
        match fate:
            case "taken":
                return End(GUARD, f"{who} has taken them")
            case "ended":
                return End(NO, "somebody ended it")
            case "lost":
                self._tell(f"{what} went back while this machine was away; once more")
                return self._begin_again()
        return None

    def _fate(self) -> tuple[str, str]:
        while not self._is_over:
            try:
                return self._holding.fate()
            except Unavailable:
                self._pause()
        return "there", ""

    def _pause(self) -> None:
        """Wait before etcd is tried again, or for the end of the command."""
        with contextlib.suppress(queue.Empty):
            self._news.get(timeout=AGAIN_S)

    @property
    def _is_over(self) -> bool:
        """Whether there is nothing left to hold it for."""
        has_ended = self._child is not None and self._child.has_ended
        return has_ended or time.time() >= self._plan.override.until_s


def _status_of(found: Spread) -> int:
    if found.refused:
        return NO
    return DEADLINE if found.silent else UNREACHABLE


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """End as ^C does when the terminal closes, or somebody asks this process to end."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise End(SIGNALLED + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
