"""Let no flood of like lines through: some of each kind at once, then three a second, and how many were left out."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

KINDS_MAX = 1000  # a library may put its details into the words
AT_ONCE = 20  # lines of one kind: what a person still reads
EVERY_S = 1 / 3  # after these; two kinds in one flood stay below ten lines a second
LEFT_OUT = "; more lines like this are left out now, LOG_LEVEL=debug shows all"


@dataclass(slots=True)
class _Kind:
    """What may still be said of one kind, by a token bucket, and what was not."""

    tokens: float
    at_s: float
    left_out: int = 0


class Flood(logging.Filter):
    """A handler's filter. Two lines are of one kind if their words are the same and only their details differ."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.Lock()
        self._kinds: dict[object, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line goes out; it may then say that others do not, or did not."""
        now_s = self._now()
        with self._lock:
            if len(self._kinds) > KINDS_MAX:
                self._kinds.clear()
            kind = self._kinds.setdefault(_kind_of(record), _Kind(AT_ONCE, now_s))
            kind.tokens = min(AT_ONCE, kind.tokens + (now_s - kind.at_s) / EVERY_S)
            kind.at_s = now_s
            if kind.tokens < 1:
                kind.left_out += 1
                return False
            kind.tokens -= 1
            left_out, kind.left_out = kind.left_out, 0
            is_last = kind.tokens < 1 and not left_out
        # Words of ours, without a %: the details go on filling the rest of the text.
        if left_out:
            record.msg = f"{record.msg}; {left_out} lines like this were left out before"
        elif is_last:
            record.msg = f"{record.msg}{LEFT_OUT}"
        return True


def _kind_of(record: logging.LogRecord) -> object:
    """Return the line's kind: its words as the program has them, a handful; and its reason, if it has a code."""
    args = record.args if isinstance(record.args, tuple) else (record.args,)
    codes = tuple(arg["code"] for arg in args if isinstance(arg, dict) and "code" in arg)
    return record.name, record.levelno, record.msg, codes
