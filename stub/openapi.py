"""Turn an OpenAPI 3 document into answers: its examples, or values made from schemas. No I/O."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stub.answers import METHODS, WRONG_KIND, Answer, Entry, Invalid, reason_of
from stub.folder import JSON, OF_THE_SERVER, as_json, body_of, header
from stub.samples import Document, Samples, resolve

_RANGE = re.compile(r"[2-5]XX")
_VARIABLE = re.compile(r"\{([^{}]*)\}")


def is_openapi(document: object) -> bool:
    """Whether a document calls itself OpenAPI, of whatever version."""
    return isinstance(document, Mapping) and ("openapi" in document or "swagger" in document)


def entries_of(document: Document, source: str) -> tuple[list[Entry], list[str]]:
    """Return the answers of a document, and what is wrong with the rest of it."""
    version = str(document.get("openapi", "swagger"))
    if not version.startswith("3."):
        key = "openapi" if "openapi" in document else "swagger"
        seen = version if key == "openapi" else document.get("swagger")
        return [], [f"{source}: {key}: {seen!r} is not supported; 3.0 and 3.1 are"]

    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        return [], [f"{source}: paths: {paths!r:.40} is not a mapping of paths"]

    reader = _Reader(document, source)
    for template, item in paths.items():
        reader.read_path(str(template), item)
    return reader.entries, reader.problems


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of a path."""

    method: str
    template: str
    responses: Document


class _Reader:
    """Collects the entries and problems of one document."""

    def __init__(self, document: Document, source: str) -> None:
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        self._document = document
        self._source = source
        self._samples = Samples(document)

    def read_path(self, template: str, item: Any) -> None:
        """Read all operations of one path."""
        for operation in self._operations(template, item):
            for status, response in operation.responses.items():
                try:
                    self.entries += self._entries(operation, str(status), response)
                except (Invalid, *WRONG_KIND) as error:
                    place = f"{template}.{operation.method.lower()}.responses.{status}"
                    self._refuse(place, error)

    def _refuse(self, place: str, error: Exception) -> None:
        self.problems.append(f"{self._source}: paths.{place}: {reason_of(error)}")

    def _operations(self, template: str, item: Any) -> Iterator[_Operation]:
        try:
            path_item = _path_item(self._document, template, item)
        except Invalid as error:
            self._refuse(template, error)
            return

        for word, operation in path_item.items():
            method = str(word).upper()
            if method not in METHODS:
                continue  # summary, parameters, …

            try:
                responses = _mapping(_mapping(operation).get("responses"))
            except Invalid as error:
                self._refuse(f"{template}.{word}.responses", error)
                continue

            yield _Operation(method, template, responses)

    def _entries(self, operation: _Operation, status: str, response: Any) -> Iterator[Entry]:
        """Yield the answers of one response: under the server's path, and without it."""
        base = _base_path(self._document)
        method = operation.method
        template = operation.template
        for answer in self._answers(_statuses(status), response):
            yield Entry(method, base + template, answer)
            if base:
                yield Entry(method, template, answer, alias=True)

    def _answers(self, statuses: range, response: Any) -> Iterator[Answer]:
        resolved = _mapping(self._samples.resolve(response))
        declared = resolved.get("headers") or {}
        headers = tuple(_headers(self._samples, declared))
        content = _mapping(resolved.get("content") or {})
        if not content:
            yield Answer(statuses, b"", headers, source=self._source)
            return

        kind = _preferred(content)
        media = _mapping(content[kind])
        for name, value in _values(self._samples, media):
            # where JSON was promised, a text is JSON too
            body = as_json(value) if _is_json(kind) else body_of(value)
            yield Answer(
                statuses=statuses,
                body=body,
                headers=(("content-type", _concrete(kind)), *headers),
                source=self._source,
                example=name,
            )


def _path_item(document: Document, template: str, item: Any) -> Document:
    if not template.startswith("/"):
        raise Invalid("is not a path; it must begin with /")

    return _mapping(resolve(document, item))


def _mapping(value: Any) -> Document:
    if not isinstance(value, Mapping):
        raise Invalid(f"{value!r:.40} is not a mapping")

    return value


def _statuses(text: str) -> range:
    if text == "default":
        return range(200, 600)

    if _RANGE.fullmatch(text.upper()):
        first = int(text[0]) * 100
        return range(first, first + 100)

    if text.isdigit() and 200 <= int(text) <= 599:
        status = int(text)
        return range(status, status + 1)

    raise Invalid("is not a status; use 200 to 599, 2XX to 5XX or default")


def _base_path(document: Document) -> str:
    """Return the path of the first server, with the defaults of its variables."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    if not isinstance(first, Mapping):
        return ""

    variables = first.get("variables") or {}

    if not isinstance(variables, Mapping):
        variables = {}

    def default(found: re.Match[str]) -> str:
        variable = variables.get(found[1])
        if not isinstance(variable, Mapping):
            return ""

        return str(variable.get("default", ""))

    url = _VARIABLE.sub(default, str(first.get("url", "")))
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""

    return path if path.startswith("/") else ""


def _preferred(content: Document) -> str:
    """Return the first JSON type, or the first of all."""
    for kind in content:
        if _is_json(kind):
            return kind

    return next(iter(content))


def _is_json(kind: object) -> bool:
    essence, _, _ = str(kind).partition(";")
    essence = essence.strip().lower()
    return essence in (JSON, "*/*", "application/*") or essence.endswith("+json")


def _concrete(kind: object) -> str:
    """Return a content type without a wildcard; raises Invalid."""
    text = str(kind)
    if "*" in text:
        text = JSON if _is_json(text) else "text/plain"

    _, value = header("content-type", text)
    return value


def _values(samples: Samples, media: Document) -> Iterator[tuple[str, Any]]:
    """Yield the examples with their names; the first is the answer when the caller names none."""
    examples = _mapping(media.get("examples") or {})
    has_example = False
    for name, example in examples.items():
        resolved = samples.resolve(example)
        if isinstance(resolved, Mapping) and "value" in resolved:
            has_example = True
            yield str(name), resolved["value"]

    if has_example:
        return

    if "example" in media:
        yield "", media["example"]
    else:
        yield "", samples.of(media.get("schema", {}))


def _headers(samples: Samples, headers: Any) -> Iterator[tuple[str, str]]:
    for declared_name, declared in _mapping(headers).items():
        name = str(declared_name)
        described = _mapping(samples.resolve(declared))
        if name.lower() in ("content-type", *OF_THE_SERVER):
            continue

        _, value = next(_values(samples, described))
        if not isinstance(value, str):
            value = body_of(value).decode().strip()

        yield header(name, value)
