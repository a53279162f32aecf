"""Answer HTTP requests from the table of answers. The only module that imports starlette."""

import asyncio
import difflib
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from stub.answers import (
    PLACEHOLDER,
    Answer,
    Invalid,
    Path,
    Table,
    choose,
    duration_s,
    lines_of,
    status_of,
)
from stub.folder import JSON, as_json

MOST_LISTED = 200
NO_BODY = (204, 304)


class App:
    """The ASGI application."""

    def __init__(self, read_table: Callable[[], Table]) -> None:
        self._read_table = read_table
        self._table: Table | None = None
        self._router = Router()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        table = self._read_table()
        if table is not self._table:
            self._table = table
            self._router = _router(table)

        scope["path"] = scope["path"].rstrip("/") or "/"
        scope["app"] = self  # so that the router raises where the path has no such method
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            response = _unknown(Request(scope), table, error.status_code, error.headers)
            await response(scope, receive, send)


def _router(table: Table) -> Router:
    async def unknown(scope: Scope, receive: Receive, send: Send) -> None:
        response = _unknown(Request(scope), table, 404)
        await response(scope, receive, send)

    routes = [_route(path) for path in table.paths]
    return Router(routes, redirect_slashes=False, default=unknown)


def _route(path: Path) -> Route:
    async def endpoint(request: Request) -> Response:
        async for _ in request.stream():
            pass  # a client with a body reads no answer before the body is taken

        answers = path.answers.get(request.method)
        return await _respond(request, answers or path.answers["GET"])  # HEAD

    # Placeholders of files and documents may be no Python identifiers; their names do not matter.
    numbers = count()
    template = PLACEHOLDER.sub(lambda _: f"{{p{next(numbers)}}}", path.template)
    methods = list(path.answers)
    return Route(template.rstrip("/") or "/", endpoint, methods=methods)


async def _respond(request: Request, answers: Sequence[Answer]) -> Response:
    try:
        status, answer = _chosen(request, answers)
        delay_s = _delay_s(request, answer)
    except Invalid as error:
        return _own({"error": f"bad request to this stub: {error}"}, 400)

    await asyncio.sleep(delay_s)
    if answer is None:
        return _made_up(request, answers, status)

    response = Response(b"" if status in NO_BODY else answer.body, status)
    for name, value in (*answer.headers, ("X-Stub", answer.source)):
        sendable = value.encode("latin-1", "replace").decode("latin-1")
        response.headers.append(name, sendable)
    return response


def _chosen(request: Request, answers: Sequence[Answer]) -> tuple[int, Answer | None]:
    """Return the status, and the answer if there is one; raises Invalid."""
    status = _wish(request, "status")
    example = _wish(request, "example") or ""
    return choose(answers, status_of(status) if status else None, example)


def _delay_s(request: Request, answer: Answer | None) -> float:
    """Return the delay that the caller asks for, or the answer's own; raises Invalid."""
    delay = _wish(request, "delay")
    if delay:
        return duration_s(delay)

    return answer.delay_s if answer else 0.0


def _made_up(request: Request, answers: Sequence[Answer], status: int) -> Response:
    """Return an answer with a status that no file has."""
    document: dict[str, object] = {
        "stub": f"{request.method} {request.url.path}",
        "status": status,
    }
    examples = [answer.example for answer in answers if answer.example]
    if examples:
        document["examples"] = examples

    return _own(document, status)


def _wish(request: Request, name: str) -> str | None:
    """Return what the caller asks of the stub, in a header or in the query."""
    in_header = request.headers.get(f"x-stub-{name}")
    return in_header or request.query_params.get(f"stub-{name}")


def _unknown(
    request: Request,
    table: Table,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return 404, or 405 for a path that has other methods, with a list of what there is."""
    lines = lines_of(table)[:MOST_LISTED]
    by_place = {_place(line): line for line in lines}
    wanted = f"{request.method} {request.scope['path']}"
    near = difflib.get_close_matches(wanted, by_place, cutoff=0.5)

    document: dict[str, object] = {
        "error": f"this stub has no answer for {wanted}",
        "near": [by_place[place] for place in near],
        "has": lines,
    }
    if table.problems:
        document["refused"] = list(table.problems[:MOST_LISTED])

    return _own(document, status, headers)


def _place(line: str) -> str:
    """Return the method and the path of a line."""
    method, path, *_ = line.split()
    return f"{method} {path}"


def _own(
    document: object,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer of the stub itself, which comes from none of its files."""
    body = b"" if status in NO_BODY else as_json(document)
    all_headers = {"X-Stub": "docker-stub", **(headers or {})}
    return Response(body, status, all_headers, media_type=JSON)
