"""What is refused now, and why: logged when it begins and when it ends, and kept for /explain."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.log import Details

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal: a stable code for programs, one line for people."""

    code: str
    text: str
    # The ordinary course of things, such as a container that still starts: explained, not logged.
    quiet: bool = False


class Problems:
    """The refusals of one actor, which alone calls `update`; any thread may read `current`."""

    def __init__(self) -> None:
        self.current: Mapping[str, Problem] = {}

    def update(self, now: Mapping[str, Problem]) -> None:
        """Replace all refusals.

        `now` maps what is refused (a container, a key, a service) to the reason.
        """
        before, self.current = self.current, dict(now)

        for where, problem in now.items():
            if before.get(where) != problem:
                level = logging.DEBUG if problem.quiet else logging.WARNING
                log.log(level, "%s %s", problem.text, Details(where=where, code=problem.code))

        for where, problem in before.items():
            if where not in now and not problem.quiet:
                log.info("no longer refused %s", Details(where=where, code=problem.code))
