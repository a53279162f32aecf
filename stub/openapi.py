"""What an OpenAPI 3 document answers: its examples, or values made from its schemas. No I/O."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from stub.answers import METHODS, ODD, Answer, Bad, Entry, said
from stub.folder import JSON, as_json, body_of, header
from stub.samples import Samples, resolve

_RANGE = re.compile(r"[2-5]XX")
_VARIABLE = re.compile(r"\{([^{}]*)\}")


def is_openapi(document: object) -> bool:
    """Whether a document says that it is one, of whatever version."""
    return isinstance(document, Mapping) and ("openapi" in document or "swagger" in document)


def entries_of(document: Mapping[str, Any], source: str) -> tuple[list[Entry], list[str]]:
    """Return the answers of a document, and what is wrong with the rest of it."""
    version = str(document.get("openapi", "swagger"))
    if not version.startswith("3."):
        seen = (
            f"openapi: {version!r}"
            if "openapi" in document
            else f"swagger: {document.get('swagger')!r}"
        )
        return [], [f"{source}: {seen} is not read; 3.0 and 3.1 are"]
    entries: list[Entry] = []
    problems: list[str] = []
    samples = Samples(document)
    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        return [], [f"{source}: paths: {paths!r:.40} where a mapping of paths belongs"]
    for template, item in paths.items():
        for where, responses in _operations(document, str(template), item, problems, source):
            for status, response in responses.items():
                try:
                    entries += _entries(samples, where, str(status), response, source)
                except (Bad, *ODD) as error:
                    problems.append(
                        f"{source}: paths.{template}.{where[0].lower()}.responses.{status}: {said(error)}"
                    )
    return entries, problems


def _operations(
    document: Mapping[str, Any], template: str, item: Any, problems: list[str], source: str
) -> Iterator[tuple[tuple[str, str], Mapping[Any, Any]]]:
    """Yield (method, path) and the responses of each operation of a path."""
    try:
        item = _path_item(document, template, item)
    except Bad as error:
        problems.append(f"{source}: paths.{template}: {error}")
        return
    for word, operation in item.items():
        if str(word).upper() not in METHODS:
            continue  # summary, parameters, …
        try:
            responses = _mapping(_mapping(operation).get("responses"))
        except Bad as error:
            problems.append(f"{source}: paths.{template}.{word}.responses: {error}")
            continue
        yield (str(word).upper(), template), responses


def _path_item(document: Mapping[str, Any], template: str, item: Any) -> Mapping[Any, Any]:
    if not template.startswith("/"):
        raise Bad("is no path; one begins with /")
    return _mapping(resolve(document, item))


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise Bad(f"{value!r:.40} where a mapping belongs")
    return value


def _entries(
    samples: Samples, where: tuple[str, str], status: str, response: Any, source: str
) -> Iterator[Entry]:
    """Yield the answers of one response: under the path itself, and under the path of the server it names."""
    method, template = where
    base = _base_path(samples.document)
    for answer in _answers(samples, _statuses(status), _mapping(samples.resolve(response)), source):
        yield Entry(method, base + template, answer)
        if base:
            yield Entry(method, template, answer, alias=True)


def _statuses(text: str) -> range:
    if text == "default":
        return range(200, 600)
    if _RANGE.fullmatch(text.upper()):
        return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    if text.isdigit() and 200 <= int(text) <= 599:
        return range(int(text), int(text) + 1)
    raise Bad("is no status; 200 to 599, 2XX to 5XX and default are")


def _base_path(document: Mapping[str, Any]) -> str:
    """Return the path of the first server, its variables at their defaults."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    if not isinstance(first, Mapping):
        return ""
    variables = first.get("variables") or {}

    def default(found: re.Match[str]) -> str:
        variable = variables.get(found[1]) if isinstance(variables, Mapping) else None
        return str(variable.get("default", "")) if isinstance(variable, Mapping) else ""

    try:
        path = urlsplit(_VARIABLE.sub(default, str(first.get("url", "")))).path.rstrip("/")
    except ValueError:
        return ""
    return path if path.startswith("/") else ""


def _answers(
    samples: Samples, statuses: range, response: Mapping[str, Any], source: str
) -> Iterator[Answer]:
    headers = tuple(_headers(samples, response.get("headers") or {}))
    content = response.get("content") or {}
    if not _mapping(content):
        yield Answer(statuses, b"", headers, source=source)
        return
    kind = next((kind for kind in content if _is_json(kind)), next(iter(content)))
    for name, value in _values(samples, _mapping(content[kind])):
        body = (
            as_json(value) if _is_json(kind) else body_of(value)
        )  # a text is JSON too, where that was promised
        yield Answer(
            statuses,
            body,
            (("content-type", _concrete(kind)), *headers),
            source=source,
            example=name,
        )


def _is_json(kind: object) -> bool:
    essence = str(kind).partition(";")[0].strip().lower()
    return essence in (JSON, "*/*", "application/*") or essence.endswith("+json")


def _concrete(kind: object) -> str:
    text = str(kind)
    return header(
        "content-type", text if "*" not in text else JSON if _is_json(text) else "text/plain"
    )[1]


def _values(samples: Samples, media: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the examples with their names, the first of which is given to whoever names none."""
    examples = media.get("examples") or {}
    found = False
    for name, example in _mapping(examples).items():
        given = samples.resolve(example)
        if isinstance(given, Mapping) and "value" in given:
            found = True
            yield str(name), given["value"]
    if not found:
        yield "", media["example"] if "example" in media else samples.of(media.get("schema", {}))


def _headers(samples: Samples, headers: Any) -> Iterator[tuple[str, str]]:
    for name, declared in _mapping(headers).items():
        described = _mapping(samples.resolve(declared))
        if str(name).lower() not in (
            "content-type",
            "content-length",
            "transfer-encoding",
            "connection",
        ):
            value = next(_values(samples, described))[1]
            yield header(
                str(name), value if isinstance(value, str) else body_of(value).decode().strip()
            )
