"""The marker: twelve hexadecimal digits in a text that show which text a HAProxy worker runs.

A template lays out an open marker. A text gets its own marker only when it is written.
"""

import re

from catalog.digest import sha256
from discover.model.proxy_config import MAP_NAME, OPEN_MARKER

MARKER_DIGITS = len(OPEN_MARKER)
OPEN_MAP_NAME = MAP_NAME.format(OPEN_MARKER)

_MARKER_LINE = re.compile(rf"^(\s+description )([0-9a-f]{{{MARKER_DIGITS}}})$", re.MULTILINE)
_OPEN_LINE = re.compile(rf"^(\s+description ){OPEN_MARKER}$", re.MULTILINE)


def has_open_marker(text: str) -> bool:
    """Whether a text has the line that a marker can be written to."""
    return _OPEN_LINE.search(text) is not None


def marker_of(text: str) -> str | None:
    """Return the marker in a text, which may be the open one."""
    match = _MARKER_LINE.search(text)
    return match[2] if match else None


def filled(text: str, marker: str) -> str:
    """Return a text with this marker in place of the open one; the map's name stays open."""
    return _OPEN_LINE.sub(rf"\g<1>{marker}", text, count=1)


def map_filled(text: str, marker: str) -> str:
    """Return a text that reads the map of this marker."""
    return text.replace(OPEN_MAP_NAME, MAP_NAME.format(marker))


def opened(text: str) -> str:
    """Return a text with an open marker, whichever marker it has."""
    marker = marker_of(text)
    if marker is None:
        return text

    text = _MARKER_LINE.sub(rf"\g<1>{OPEN_MARKER}", text, count=1)
    return text.replace(MAP_NAME.format(marker), OPEN_MAP_NAME)


def next_marker(text: str, shown: str | None) -> str:
    """Return a marker that no worker shows yet, made from the text and the marker shown now."""
    return sha256(f"{shown} {text}".encode()).hexdigest()[:MARKER_DIGITS]
