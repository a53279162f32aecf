"""Why a call ended: HAProxy's two letters in words. No I/O.

HAProxy's configuration manual, section 8.5 "Session state at disconnection".
"""

from collections.abc import Mapping

# What says more than who ended it, and when.
_KNOWN: Mapping[str, str] = {
    "--": "complete",
    "SC": "the instance refused the connection",
    "sC": "the instance took no connection in time",
    "sQ": "no instance was free in time",
    "PH": "the instance answered what HAProxy does not pass on",
    "LR": "answered by HAProxy itself",
    "LH": "answered by HAProxy itself",
    "LC": "answered by HAProxy itself",
    "PR": "the request is not valid, or is denied",
    "cR": "the client sent no whole request in time",
    "CR": "the client left before its request was whole",
    "sH": "the instance did not answer in time",
    "SH": "the instance closed the connection before it answered",
    "CH": "the client left before the instance answered",
    "CD": "the client left before the answer was complete",
    "SD": "the instance broke off its answer",
}
_WHO: Mapping[str, str] = {
    "C": "the client left",
    "S": "the instance closed the connection",
    "P": "HAProxy ended it",
    "L": "HAProxy ended it",
    "R": "HAProxy had no memory, port or descriptor left",
    "I": "HAProxy found a fault in itself",
    "D": "the instance was marked down",
    "U": "a real instance took over from a stub",
    "K": "somebody ended it in HAProxy",
    "c": "the client was silent for too long",
    "s": "the instance was silent for too long",
}
_WHEN: Mapping[str, str] = {
    "R": "before the request was whole",
    "Q": "while it waited for an instance",
    "C": "while HAProxy connected to an instance",
    "H": "before the instance answered",
    "D": "while data went to and fro",
    "L": "while the last data went to the client",
    "T": "while the client was made to wait",
}
NO_INSTANCE = "no instance could be called"


def ending(code: str, *, was_called: bool) -> str:
    """Return why a call ended; `was_called` says whether an instance was chosen for it."""
    if not was_called and code[:1] == "S":
        return NO_INSTANCE
    if code in _KNOWN:
        return _KNOWN[code]

    who, when = _WHO.get(code[:1], ""), _WHEN.get(code[1:2], "")
    return " ".join(filter(None, (who, when))) or f"HAProxy says {code}"
