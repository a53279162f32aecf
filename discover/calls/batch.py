"""The calls of one question, from one answer to the next. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from catalog.asking.answer import Answer, Status
from catalog.records.record import Log
from discover.calls.call_line import is_error
from discover.model.proxy_config import Listener, Process

# A row has some 400 bytes, an answer 64 KiB.
ROWS_MAX = 150
ERRORS = "errors"  # the argument of a question that wants no other calls


@dataclass(slots=True)
class Batch:
    """What was not told yet. Each answer has another number, so that none is taken for another."""

    of_all: bool
    only_errors: bool
    names: frozenset[str] = frozenset()  # of listeners
    instances: dict[str, str] = field(default_factory=dict)  # by address; also those that went
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    left_out: int = 0
    logs: frozenset[Log] = frozenset()  # what listeners log
    is_tapped: bool = False  # whether HAProxy keeps also what they do not log
    number: int = 0
    answer: Answer = field(default_factory=Answer)

    @property
    def wants_all(self) -> bool:
        """Whether HAProxy has to keep what it does not log; `off` is never kept."""
        return not self.only_errors and "errors" in self.logs

    @property
    def seen(self) -> Log:
        """Which calls are seen now."""
        if self.logs == {"off"}:
            return "off"
        return "errors" if "errors" in self.logs and not self.is_tapped else "all"

    def look_at(self, listeners: Iterable[Listener], process: Process) -> None:
        """Note which listeners are asked about, what they log, and their instances."""
        listeners = tuple(listeners)
        self.names = frozenset(listener.name for listener in listeners)
        self.logs = frozenset(listener.log or process.access_log for listener in listeners)
        self.is_tapped = process.tapped
        for listener in listeners:
            self.instances.update({server.endpoint: server.name for server in listener.servers})

    def wants(self, listener: str) -> bool:
        """Whether the calls of a listener are asked for."""
        return self.of_all or listener in self.names

    def take(self, call: Mapping[str, Any]) -> None:
        """Note a call; if there are too many, only that there was one."""
        if self.only_errors and not is_error(call):
            return
        if len(self.rows) >= ROWS_MAX:
            self.left_out += 1
            return

        instance = self.instances.get(call.get("address", ""))
        self.rows.append({**call, "instance": instance} if instance else call)

    def tell(self, *, is_reading: bool, why: str) -> Answer:
        """Return what is new; the answer of before if nothing is, so that nothing is written."""
        status, text = self._status(is_reading=is_reading, why=why)

        answer = Answer(status, text, {"seen": self.seen}, tuple(self.rows), self.left_out)
        if replace(answer, facts={**answer.facts, "batch": self.number}) == self._emptied():
            return self.answer

        self.number += 1
        self.answer = replace(answer, facts={**answer.facts, "batch": self.number})
        self.rows, self.left_out = [], 0
        return self.answer

    def _emptied(self) -> Answer:
        """Return the last answer as one that says it again, without the same calls."""
        return replace(self.answer, rows=(), left_out=0)

    def _status(self, *, is_reading: bool, why: str) -> tuple[Status, str]:
        if not is_reading:
            return "failed", why
        if not self.of_all and not self.names:
            return "nothing", "HAProxy runs nothing of it"
        return "answer", ""
