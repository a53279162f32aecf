"""The labels of nginx-proxy and of the registrators, where they are not ours. No I/O.

VIRTUAL_PORT says which port VIRTUAL_HOST and VIRTUAL_PATH are about. What asks for more than is
done here is said, so that nobody looks for it in vain.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from catalog.errors import Rejected
from catalog.values.secrets import unless_secret
from catalog.values.value_types import PORT
from catalog.values.vocabulary import LABELS
from register.offer.attributes import some
from register.reasons import because
from sidecar.status.problems import Problem

WORDS = {"VIRTUAL_HOST": "HOSTS", "VIRTUAL_PATH": "PATH"}
_PROTO, _PORT, _ACCESS = "VIRTUAL_PROTO", "VIRTUAL_PORT", "NETWORK_ACCESS"
# Each has no effect here, and what that means.
_NOT_DONE = {
    "VIRTUAL_HOST_MULTIPORTS": "add a label SERVICE_<port>_HOSTS=<name> for each port",
    "VIRTUAL_DEST": "paths reach the program as callers send them",
}
ALL = frozenset({*WORDS, *_NOT_DONE, _PROTO, _PORT, _ACCESS})

# Forms of the registrators that we do not read: a label for a range of ports, and for one of UDP.
_RANGE = re.compile(r"SERVICE_[0-9]{1,5}-[0-9]{1,5}_(?P<name>.+)", re.DOTALL)
_UDP = re.compile(r"SERVICE_[0-9]{1,5}_(?i:udp)_(?P<name>.+)", re.DOTALL)
_ONE_EACH = "a label is for one port here: write SERVICE_<port>_… for each"
_NO_UDP = "only TCP is balanced"
_NOT_MADE = "not made here; give the image a HEALTHCHECK"
_NOT_NEEDED = "not needed: a container is published once it is ready, until it is gone"
# Their words, and what to do instead.
_OF_REGISTRATORS = {
    "CHECK_CMD": _NOT_MADE,
    "CHECK_DOCKER": _NOT_MADE,
    "CHECK_HTTPS": _NOT_MADE,
    "CHECK_SCRIPT": _NOT_MADE,
    "CHECK_TTL": _NOT_MADE,
    "CHECK_DEREGISTER": _NOT_NEEDED,
    "CHECK_DEREGISTER_AFTER": _NOT_NEEDED,
    "CHECK_INITIAL_STATUS": _NOT_NEEDED,
}
# These only if they are labels: so short a variable may be anything.
_OF_LABELS = {
    "ALIAS": "a port is one service here",
    "IP": "use SERVICE_ADDRESS",
}


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

    if texts and given.get(_ACCESS, "").lower() == "internal":
        text = f"{_ACCESS} of {container} is not read: all callers of HTTP_BIND reach it"
        notes[_ACCESS] = because("NOT_READ", text)

    protocol = given.get(_PROTO, "").lower()
    if texts and protocol == "grpc":
        texts["PROTO"] = (_PROTO, "h2c")
    elif texts and protocol not in ("", "http"):
        texts = {}
        seen = unless_secret(f"{protocol!a:.20}", given[_PROTO])
        text = f"{_PROTO} of {container} is {seen}, and HAProxy speaks http to instances"
        notes[_PROTO] = because("NOT_READ", f"{text}: no host name leads to it")

    port = None
    if text := given.get(_PORT, ""):
        try:
            port = PORT.from_label(text)
        except Rejected as error:
            why = unless_secret(str(error), text)
            notes[_PORT] = because("NOT_READ", f"{_PORT} of {container} is not read: {why}")

    return NginxWords(texts, port, notes)


def not_ours(key: str, name: str, *, is_label: bool) -> str:
    """Return why a label of the registrators is not read; empty if it is none.

    `name` is it without SERVICE_ and port. Of variables only their very words count.
    """
    for form, why in ((_RANGE, _ONE_EACH), (_UDP, _NO_UDP)):
        match = form.fullmatch(key)
        if match and (is_label or match["name"].upper() in {*LABELS, "NAME"}):
            return why

    if name in _OF_REGISTRATORS or not is_label:
        return _OF_REGISTRATORS.get(name, "")
    no_check = "no such check" if name.startswith("CHECK_") and name not in LABELS else ""
    return _OF_LABELS.get(name, no_check)


def not_read(container: str, keys: Mapping[str, Iterable[str]]) -> dict[str, Problem]:
    """Return what is said of labels that are not read, by why they are not."""
    notes: dict[str, Problem] = {}
    for why, of_them in keys.items():
        names = sorted(of_them)
        problem = because("NOT_READ", f"{some(names)} of {container}: {why}")
        notes[names[0]] = replace(problem, quiet=why == _NOT_NEEDED)
    return notes
