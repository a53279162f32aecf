"""Times as people write and read them: `1h30m` -> seconds, seconds -> `4d`. No I/O, no clock."""

import re

from catalog.errors import Rejected

_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern}){{1,5}}|\d{{1,6}}")
MOST_S = 366 * 86400.0


def seconds_of(text: str) -> float:
    """Return the seconds in such as `60s`, `500ms`, `1h30m` or `2d`; alone, a number is of seconds.

    Raises Rejected.
    """
    seconds = 0.0
    if _WHOLE.fullmatch(text):
        parts = _PART.findall(text)
        seconds = sum(float(count) * _UNIT_S[unit] for count, unit in parts) or float(
            text if text.isdigit() else 0
        )
    if not _WHOLE.fullmatch(text) or seconds > MOST_S:
        raise Rejected(f"{text!r:.40} is not a time such as 60s, 500ms, 10m, 2h or 1d")
    return seconds


def ago(seconds: float) -> str:
    """Return how long it is, in the largest unit that has two: `90s` is `90s`, `7200s` is `2h`."""
    whole = max(0, int(seconds))
    for unit, width_s in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= 2 * width_s:
            return f"{whole // width_s}{unit}"
    return f"{whole}s"
