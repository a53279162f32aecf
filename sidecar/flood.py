"""Cut a flood of like log lines short: some of each kind at once, then three a second.

A line that follows others of its kind that were left out says how many.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sidecar.bucket import Bucket, Rate

KINDS_MAX = 1000  # a library may put its details into the words
AT_ONCE = 20  # lines of one kind: what a person still reads
RATE = Rate(3.0, AT_ONCE)  # two kinds in one flood stay below ten lines a second
LEFT_OUT = "; more lines like this are suppressed, LOG_LEVEL=debug shows all"


@dataclass(slots=True)
class _Kind:
    """Lines of one kind: how many may still pass, and how many did not."""

    bucket: Bucket = field(default_factory=lambda: Bucket(RATE))
    left_out: int = 0


class Flood(logging.Filter):
    """A handler's filter. Lines of one kind have the same words and may differ in their details."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.Lock()
        self._kinds: dict[object, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line passes; it may then say that others do not, or did not."""
        now_s = self._now()
        with self._lock:
            kind = self._kind(record)
            if kind.bucket.wait_s(now_s) > 0:
                kind.left_out += 1
                return False

            kind.bucket.spend(now_s)
            left_out, kind.left_out = kind.left_out, 0
            is_last = kind.bucket.wait_s(now_s) > 0 and not left_out

        # Words of ours, without a %: the details go on filling the rest of the text.
        if left_out:
            record.msg = f"{record.msg}; {left_out} earlier lines like this were suppressed"
        elif is_last:
            record.msg = f"{record.msg}{LEFT_OUT}"
        return True

    def _kind(self, record: logging.LogRecord) -> _Kind:
        if len(self._kinds) > KINDS_MAX:
            self._kinds.clear()
        return self._kinds.setdefault(_kind_of(record), _Kind())


def args_of(record: logging.LogRecord) -> tuple[object, ...]:
    """Return what fills the text of a line; `logging` itself unpacks a lone mapping."""
    return record.args if isinstance(record.args, tuple) else (record.args,)


def _kind_of(record: logging.LogRecord) -> object:
    """Return what tells one kind from another: the words in the program, and the reason's code."""
    details = (arg for arg in args_of(record) if isinstance(arg, dict))
    codes = tuple(detail["code"] for detail in details if "code" in detail)
    return record.name, record.levelno, record.msg, codes
