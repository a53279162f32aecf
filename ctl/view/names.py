"""Names: which of those that exist a person may have meant. No I/O."""

import fnmatch
from collections.abc import Iterable, Sequence

MOST = 3


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that look most like it."""
    import difflib  # only who mistypes waits for it  # noqa: PLC0415

    return difflib.get_close_matches(name, sorted(set(names)), MOST, cutoff=0.5)


def not_found(name: str, names: Iterable[str]) -> str:
    """Return a sentence that says so, with the near names."""
    found = near(name, names)
    return f"nothing here is called {name}" + (f"; near: {', '.join(found)}" if found else "")


def thing_of(text: str) -> str:
    """Return what is meant by what people paste: of a URL its host name, of localhost the port."""
    scheme, _, rest = text.rpartition("://")
    place = rest.partition("/")[0]
    host, _, port = place.rpartition(":")
    if host == "localhost" or (scheme and host in ("127.0.0.1", "[::1]")):
        return port
    if scheme and host:
        return host
    return place if scheme or "." in place else text


def is_pattern(name: str) -> bool:
    """Whether it may mean several."""
    return any(sign in name for sign in "*?[")


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of these, or of these patterns; all are, if there are none."""
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
