"""Where the pair answers in etcd: below said/, which no docker-discover watches. No I/O."""

import re
from dataclasses import dataclass
from typing import Literal

from catalog.keys import ASK_ID, HOST_ID

Side = Literal["discover", "register"]
_ANSWER = re.compile(r"([^/]+)/answers/([^/]+)/(discover|register)")


@dataclass(frozen=True, slots=True, order=True)
class AnswerKey:
    """The key of what one sidecar of a host answers to one question."""

    host: str
    ask: str
    by: Side


def said_root(prefix: str) -> str:
    """Return what every key of every answer and of all that is refused starts with."""
    return f"{prefix}/said/"


def said_host_root(prefix: str, host: str) -> str:
    """Return what every key that a host's sidecars say something at starts with."""
    return f"{said_root(prefix)}{host}/"


def refused_key(prefix: str, host: str) -> str:
    """Return the key of what a host's docker-register does not publish."""
    return f"{said_host_root(prefix, host)}refused"


def answer_key(prefix: str, key: AnswerKey) -> str:
    """Return the etcd key of an answer; `parse_answer_key` is its inverse."""
    return f"{said_host_root(prefix, key.host)}answers/{key.ask}/{key.by}"


def parse_answer_key(prefix: str, text: str) -> AnswerKey | None:
    """Return whose answer to what stands at a key; None for any other key."""
    match = _ANSWER.fullmatch(text.removeprefix(said_root(prefix)))
    if not match or not HOST_ID.fullmatch(match[1]) or not ASK_ID.fullmatch(match[2]):
        return None

    return AnswerKey(match[1], match[2], "discover" if match[3] == "discover" else "register")
