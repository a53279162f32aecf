"""Follow the journals of all hosts: what is new in them, as it comes.

One question stands while somebody watches. A host answers it when its journal has changed, at most
twice a second, and writes nothing else.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from catalog.access import Access
from catalog.asking.ask import EVERY_MS_MIN
from catalog.errors import Unavailable
from ctl.asking import Asking, Heard
from ctl.past.journals import Wanted, asked, told_in
from ctl.past.merge import Told

NEWEST = 20  # lines in an answer: each change has them written once more by every host
FOREVER_S = 366 * 86400.0


@dataclass(slots=True)
class Live:
    """The journals, followed by a thread of its own.

    with Live(access, prefix, wanted) as live:
        for lines in live.lines():
            ...
    """

    access: Access
    prefix: str
    wanted: Wanted
    hosts: set[str] = field(default_factory=set)  # that have told
    last: dict[str, int] = field(default_factory=dict)  # the newest line of each
    _found: "queue.Queue[Sequence[Told] | Unavailable]" = field(default_factory=queue.Queue)
    _asking: Asking | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to follow."""
        self._asking = Asking(self.access, self.prefix)
        # Open until the thread has taken its question back.
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the question back."""
        if self._asking and self._thread:
            # Again and again, as it may be about to begin with a deadline of its own.
            while self._thread.is_alive():
                self._asking.end_by(0.0)
                self._thread.join(0.1)

    def lines(self, within_s: float) -> Iterator[Sequence[Told]]:
        """Yield what is new, at least something empty every `within_s`. Raises Unavailable."""
        while True:
            found: Sequence[Told] | Unavailable = ()
            with contextlib.suppress(queue.Empty):
                found = self._found.get(timeout=within_s)
            if isinstance(found, Unavailable):
                raise found
            yield found

    def _run(self) -> None:
        asking = self._asking
        if asking is None:
            return
        question = replace(self.wanted, limit=NEWEST, since=0, since_s=0).ask()
        question = replace(question, every_ms=EVERY_MS_MIN, by="tandem watch")
        try:
            with asking:
                for heard in asking.ask(
                    question, FOREVER_S, sides=("discover",), enough=lambda _heard: False
                ):
                    self._take(heard)
            self._found.put(Unavailable("nobody is left that tells"))
        except Unavailable as error:
            self._found.put(error)

    def _take(self, heard: Heard) -> None:
        host, lines = heard.host, list(told_in(heard))
        self.hosts.add(host)
        newest = max((it.line.id for it in lines), default=0)
        if host not in self.last:
            self.last[host] = newest  # what was before is history
            return

        last = self.last[host]
        if lines and heard.answer.facts.get("more") and min(it.line.id for it in lines) > last + 1:
            lines = self._between(host, last)
        self.last[host] = max(last, newest)
        self._found.put([it for it in lines if it.line.id > last or it.line.how])

    def _between(self, host: str, last: int) -> list[Told]:
        """Return all lines of a host after one: so many came at once that an answer lacks some."""
        wanted = replace(self.wanted, hosts=(host,), since=0, since_s=0, after=last, limit=100_000)
        with Asking(self.access, self.prefix) as asking:
            return asked(asking, wanted).lines
