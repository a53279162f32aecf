"""The labels of nginx-proxy, read as ours where they mean the same. No I/O.

VIRTUAL_PORT says which port VIRTUAL_HOST and VIRTUAL_PATH are about. What asks for more than
HAProxy does here is said, so that nobody looks for it in vain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.errors import Rejected
from catalog.value_types import PORT
from register.offer.attributes import unless_secret
from register.reasons import because
from sidecar.status.problems import Problem

WORDS = {"VIRTUAL_HOST": "HOSTS", "VIRTUAL_PATH": "PATH"}
_PROTO, _PORT = "VIRTUAL_PROTO", "VIRTUAL_PORT"
# Each has no effect here, and what that means.
_NOT_DONE = {
    "VIRTUAL_HOST_MULTIPORTS": "add a label SERVICE_<port>_HOSTS=<name> for each port",
    "VIRTUAL_DEST": "paths reach the program as callers send them",
}
ALL = frozenset({*WORDS, *_NOT_DONE, _PROTO, _PORT})


@dataclass(frozen=True, slots=True)
class NginxWords:
    """What they say: labels of ours with the name they were given by, and for which port."""

    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # HOSTS: (key, value)
    port: int | None = None
    notes: Mapping[str, Problem] = field(default_factory=dict)


def read_nginx_words(container: str, given: Mapping[str, str]) -> NginxWords:
    """Return what the words of nginx-proxy among a container's labels say; it never raises."""
    texts = {name: (key, given[key]) for key, name in WORDS.items() if given.get(key)}
    notes = {
        key: because("NOT_READ", f"{key} of {container} is not read: {instead}")
        for key, instead in _NOT_DONE.items()
        if given.get(key)
    }

    protocol = given.get(_PROTO, "").lower()
    if texts and protocol == "grpc":
        texts["PROTO"] = (_PROTO, "h2c")
    elif texts and protocol not in ("", "http"):
        texts = {}
        text = f"{_PROTO} of {container} is {protocol!a:.20}, and HAProxy speaks http to instances"
        notes[_PROTO] = because("NOT_READ", f"{text}: no host name leads to it")

    port = None
    if text := given.get(_PORT, ""):
        try:
            port = PORT.from_label(text)
        except Rejected as error:
            why = unless_secret(str(error), text)
            notes[_PORT] = because("NOT_READ", f"{_PORT} of {container} is not read: {why}")

    return NginxWords(texts, port, notes)
