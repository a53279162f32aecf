"""What the files of a folder answer: the name says method, path and status, the content the body. No I/O."""

import json
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from stub.answers import METHODS, Answer, Bad, Entry, duration_s, status_of
from stub.documents import parse_json, parse_yaml

DESCRIPTIONS = (".yaml", ".yml")
KEYS = ("status", "headers", "delay", "body")
_STATUS = re.compile(r"(.+)\.([2-5]\d\d)")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2 "token"
JSON = "application/json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Name:
    """What a file's name says; `file` is the path with the ending, which callers may ask for as well."""

    method: str
    template: str
    file: str
    status: int | None
    ending: str


def is_served(name: str) -> bool:
    """Whether a file is an answer at all: not what is hidden, and no copy that an editor keeps."""
    return not any(part.startswith(".") for part in name.split("/")) and not name.endswith("~")


def parse_name(name: str) -> Name:
    """Return what a file's name says: `POST/orders.201.json`; without a method in front it is GET."""
    method, _, rest = name.partition("/")
    if method not in METHODS or not rest:
        method, rest = "GET", name
    folder, _, file = rest.rpartition("/")
    stem, dot, ending = file.rpartition(".")
    stem, ending = (stem, dot + ending) if stem else (file, "")
    if ending and (found := _STATUS.fullmatch(stem + ending)) and not _STATUS.fullmatch(stem):
        stem, ending = found[1], ""  # orders.503: no ending, only a status
        status: int | None = int(found[2])
    else:
        found = _STATUS.fullmatch(stem)
        stem, status = (found[1], int(found[2])) if found else (stem, None)
    words = [word for word in (folder, "" if stem == "index" else stem) if word]
    whole = "/".join(word for word in (folder, stem + ending) if word)
    return Name(method, "/" + "/".join(words), "/" + whole, status, ending.lower())


def entries_of(name: str, content: bytes) -> list[Entry]:
    """Return the answers of one file, by its path in the folder; raises Bad."""
    said = parse_name(name)
    if said.ending in DESCRIPTIONS:
        return [Entry(said.method, said.template, _described(said, parse_yaml(content), name))]
    if said.ending == ".json":
        parse_json(content)  # only whether it is any
    status = said.status or 200
    answer = Answer(
        range(status, status + 1), content, (("content-type", _type_of(said.ending)),), source=name
    )
    whole = [Entry(said.method, said.file, answer, alias=True)] if said.ending else []
    return [Entry(said.method, said.template, answer), *whole]


def _type_of(ending: str) -> str:
    kind = mimetypes.guess_type(f"x{ending}")[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _described(said: Name, description: object, source: str) -> Answer:
    """Return the answer that a YAML file describes."""
    if not isinstance(description, Mapping) or not set(description) <= set(KEYS):
        seen = (
            ", ".join(map(str, description))
            if isinstance(description, Mapping)
            else f"{description!r:.40}"
        )
        raise Bad(f"{seen or 'nothing'}: a YAML file describes an answer by {', '.join(KEYS)}")
    status = _of("status", lambda: status_of(description.get("status", said.status or 200)))
    delay_s = _of("delay", lambda: duration_s(description.get("delay", 0)))
    headers = _of("headers", lambda: _headers(description.get("headers") or {}))
    body = description.get("body")
    kind = "text/plain; charset=utf-8" if isinstance(body, str) else JSON
    if body is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (("content-type", kind), *headers)
    return Answer(range(status, status + 1), body_of(body), headers, delay_s, source)


def _of(key: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except Bad as error:
        raise Bad(f"{key}: {error}") from error


def body_of(value: object) -> bytes:
    """Return a body: text as it is, nothing as nothing, all else as JSON."""
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else as_json(value)


def as_json(value: object) -> bytes:
    """Return JSON for people: what a stub says is read in terminals."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str).encode() + b"\n"


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise Bad(f"{value!r:.40} is no mapping of names to values")
    return tuple(header(str(name), text) for name, text in value.items())


def header(name: str, value: object) -> tuple[str, str]:
    """Return a header; raises Bad if HTTP has no such."""
    text = str(value).strip()
    if not _HEADER.fullmatch(name) or not text.isprintable() or not text.isascii():
        raise Bad(
            f"{name!r}: {text!r:.40} is no header: a name without spaces, and a value of printable ASCII"
        )
    if name.lower() in ("content-length", "transfer-encoding", "connection"):
        raise Bad(f"{name!r} is the server's own affair; leave it out")
    return name, text
