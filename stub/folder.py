"""Turn the files of a folder into answers. No I/O.

A file's name gives method, path and status; its content is the body.
"""

import contextlib
import json
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stub.answers import METHODS, Answer, Entry, Headers, Invalid, duration_s, status_of
from stub.documents import parse_json, parse_yaml

DESCRIPTIONS = (".yaml", ".yml")
KEYS = ("status", "headers", "delay", "body")
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
OF_THE_SERVER = ("content-length", "transfer-encoding", "connection")  # headers that it sets itself
_STATUS = re.compile(r"(.+)\.([2-5]\d\d)")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2 "token"


@dataclass(frozen=True, slots=True)
class Name:
    """A parsed file name; `file` is the path with the ending, which callers may ask for too."""

    method: str
    template: str
    file: str
    status: int | None
    ending: str


def is_served(name: str) -> bool:
    """Whether a file is an answer: hidden files and the backup copies of editors are not."""
    words = name.split("/")
    is_hidden = any(word.startswith(".") for word in words)
    return not is_hidden and not name.endswith("~")


def parse_name(name: str) -> Name:
    """Parse a name such as `POST/orders.201.json`; without a method in front it is GET."""
    method, _, path = name.partition("/")
    if method not in METHODS or not path:
        method, path = "GET", name

    folder, _, file = path.rpartition("/")
    stem, status, ending = _split(file)
    return Name(
        method=method,
        template=_joined(folder, "" if stem == "index" else stem),
        file=_joined(folder, stem + ending),
        status=status,
        ending=ending.lower(),
    )


def _split(file: str) -> tuple[str, int | None, str]:
    """Return stem, status and ending of a file's name."""
    stem, dot, ending = file.rpartition(".")
    if not stem:
        stem, dot, ending = file, "", ""

    if found := _STATUS.fullmatch(stem):  # orders.503.json
        return found[1], int(found[2]), dot + ending

    if found := _STATUS.fullmatch(file):  # orders.503: no ending, only a status
        return found[1], int(found[2]), ""

    return stem, None, dot + ending


def _joined(folder: str, file: str) -> str:
    words = [word for word in (folder, file) if word]
    return "/" + "/".join(words)


def entries_of(name: str, content: bytes) -> list[Entry]:
    """Return the answers of one file, given its path in the folder; raises Invalid."""
    parsed = parse_name(name)
    if parsed.ending in DESCRIPTIONS:
        answer = _described(parsed, parse_yaml(content), name)
        return [Entry(parsed.method, parsed.template, answer)]

    if parsed.ending == ".json":
        parse_json(content)  # only a check: the body is given as it is

    status = parsed.status or 200
    answer = Answer(
        statuses=range(status, status + 1),
        body=content,
        headers=(("content-type", _type_of(parsed.ending)),),
        source=name,
    )
    entries = [Entry(parsed.method, parsed.template, answer)]
    if parsed.ending:
        entries.append(Entry(parsed.method, parsed.file, answer, alias=True))

    return entries


def _type_of(ending: str) -> str:
    guessed, _ = mimetypes.guess_type(f"x{ending}")
    kind = guessed or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _described(name: Name, description: object, source: str) -> Answer:
    """Return the answer that a YAML file describes."""
    fields = _fields(description)
    with _naming("status"):
        status = status_of(fields.get("status", name.status or 200))
    with _naming("delay"):
        delay_s = duration_s(fields.get("delay", 0))
    with _naming("headers"):
        headers = _headers(fields.get("headers") or {})

    body = fields.get("body")
    has_type = any(header_name.lower() == "content-type" for header_name, _ in headers)
    if body is not None and not has_type:
        kind = TEXT if isinstance(body, str) else JSON
        headers = (("content-type", kind), *headers)

    return Answer(
        statuses=range(status, status + 1),
        body=body_of(body),
        headers=headers,
        delay_s=delay_s,
        source=source,
    )


def _fields(description: object) -> Mapping[str, object]:
    """Return the description if it has only the known keys; raises Invalid."""
    if not isinstance(description, Mapping):
        seen = f"{description!r:.40}"
    elif set(description) <= set(KEYS):
        return description
    else:
        seen = ", ".join(map(str, description)) or "nothing"

    raise Invalid(f"{seen}: the keys of a YAML answer are {', '.join(KEYS)}")


@contextlib.contextmanager
def _naming(key: str) -> Iterator[None]:
    """Put the key in front of what is wrong with its value."""
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{key}: {error}") from error


def body_of(value: object) -> bytes:
    """Return a body: text as it is, nothing for None, anything else as JSON."""
    if value is None:
        return b""

    return value.encode() if isinstance(value, str) else as_json(value)


def as_json(value: object) -> bytes:
    """Return indented JSON: answers of a stub are read in terminals."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text.encode() + b"\n"


def _headers(value: object) -> Headers:
    if not isinstance(value, Mapping):
        raise Invalid(f"{value!r:.40} is not a mapping of names to values")

    return tuple(header(str(name), text) for name, text in value.items())


def header(name: str, value: object) -> tuple[str, str]:
    """Return a header; raises Invalid if HTTP allows none like it."""
    text = str(value).strip()
    if not _HEADER.fullmatch(name) or not text.isprintable() or not text.isascii():
        right = "a name without spaces, and a value of printable ASCII"
        raise Invalid(f"{name!r}: {text!r:.40} is not a header, which has {right}")

    if name.lower() in OF_THE_SERVER:
        raise Invalid(f"{name!r} is set by the server; remove it")

    return name, text
