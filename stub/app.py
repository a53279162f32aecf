"""Answer requests from the table of answers. The only module that imports starlette."""

import asyncio
import difflib
import re
from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from stub.answers import Answer, Bad, Path, Table, choose, duration_s, lines_of, status_of
from stub.folder import JSON, as_json

MOST_LISTED = 200
_PLACEHOLDER = re.compile(r"\{[^/{}]*\}")


class App:
    """The ASGI application."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._now = table
        self._table: Table | None = None
        self._router = Router()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        table = self._now()
        if table is not self._table:
            self._table, self._router = table, _router(table)
        scope["path"] = scope["path"].rstrip("/") or "/"
        scope["app"] = self  # so that the router raises where the path has no such method
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await _unknown(Request(scope), table, error.status_code, error.headers)(
                scope, receive, send
            )


def _router(table: Table) -> Router:
    async def unknown(scope: Scope, receive: Receive, send: Send) -> None:
        await _unknown(Request(scope), table, 404)(scope, receive, send)

    return Router([_route(path) for path in table.paths], redirect_slashes=False, default=unknown)


def _route(path: Path) -> Route:
    async def endpoint(request: Request) -> Response:
        async for _ in request.stream():
            pass  # whoever sends a body wants it taken first
        answers = path.answers.get(request.method) or path.answers["GET"]  # HEAD
        return await _respond(request, answers)

    numbers = iter(range(1000))
    # The names that files and documents give may be no names of Python's; nobody needs them here.
    template = _PLACEHOLDER.sub(lambda _: f"{{p{next(numbers)}}}", path.template)
    return Route(template.rstrip("/") or "/", endpoint, methods=list(path.answers))


async def _respond(request: Request, answers: tuple[Answer, ...]) -> Response:
    try:
        asked = _asked(request, "status")
        status, answer = choose(
            answers, status_of(asked) if asked else None, _asked(request, "example") or ""
        )
        delay = _asked(request, "delay")
        delay_s = duration_s(delay) if delay else answer.delay_s if answer else 0.0
    except Bad as error:
        return _own({"error": f"this stub does not understand: {error}"}, 400)
    await asyncio.sleep(delay_s)
    if answer is None:
        examples = [each.example for each in answers if each.example]
        more = {"examples": examples} if examples else {}
        return _own(
            {"stub": f"{request.method} {request.url.path}", "status": status, **more}, status
        )
    response = Response(answer.body if status not in (204, 304) else b"", status)
    for name, value in (*answer.headers, ("X-Stub", answer.source)):
        response.headers.append(name, value.encode("latin-1", "replace").decode("latin-1"))
    return response


def _asked(request: Request, what: str) -> str | None:
    """Return what the caller asks of the stub, in a header or in the query."""
    return request.headers.get(f"x-stub-{what}") or request.query_params.get(f"stub-{what}")


def _unknown(
    request: Request, table: Table, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Return 404, or 405 for a path that has other methods, with a list of what there is."""
    has = lines_of(table)[:MOST_LISTED]
    wanted = f"{request.method} {request.scope['path']}"
    places = {" ".join(line.split()[:2]): line for line in has}
    near = [places[place] for place in difflib.get_close_matches(wanted, places, cutoff=0.5)]
    says: dict[str, object] = {
        "error": f"this stub has no answer for {wanted}",
        "near": near,
        "has": has,
    }
    if table.problems:
        says["refused"] = list(table.problems[:MOST_LISTED])
    return _own(says, status, headers)


def _own(says: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return what the stub itself says, not one of its files."""
    body = as_json(says) if status not in (204, 304) else b""
    return Response(body, status, {"X-Stub": "docker-stub", **(headers or {})}, JSON)
