"""What looks secret in a text that people wrote. No I/O.

Labels, variables and files hold passwords, and log lines and /explain are read by many. So one
pattern decides, and every reason goes through `masked`.
"""

import re

_MASK = "…"
_LOOKS_SECRET = re.compile(
    r"(?P<before>://)[^/\s]*:[^/\s]*(?=@)"
    r"|-*(?:BEGIN )?(?:[A-Z]+ )?PRIVATE KEY.*"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|[sr]k_live_|AKIA[0-9A-Z]{12})[\w-]*"
    r"|(?P<word>(?i:password|passwd|secret|token|api_?key)=)[^\s&;,'\"]*",
    re.DOTALL,
)


def looks_secret(value: str) -> bool:
    """Whether a value is better shown to nobody."""
    return bool(_LOOKS_SECRET.search(value))


def unless_secret(message: str, value: str) -> str:
    """Return a message about a value; of one that looks secret it must not show anything."""
    return "a value that looks secret, and is not shown" if looks_secret(value) else message


def masked(text: str) -> str:
    """Return a text without what looks secret in it."""
    return _LOOKS_SECRET.sub(lambda m: f"{m['before'] or m['word'] or ''}{_MASK}", text)
