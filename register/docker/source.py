"""The only door to Docker: lists, inspects, events. Only GETs, each with a deadline; no decision, no retry.

What is asked for, so that a proxy in front of the socket can allow no more: /version, /containers/json,
/containers/<id>/json, /events, and /info (which it may refuse).
"""

import errno
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from catalog.errors import Rejected, Unavailable
from register.docker.container import Container, Neighbour, parse_inspect, parse_row
from register.docker.hints import DockerEvent, Hints, has_ended
from register.docker.library import CancellableStream, docker, kwargs_from_env
from register.reasons import because
from sidecar.status.problems import Problem

DEADLINE_S = 4.0  # for each answer; less than the time a sidecar has to end in
SILENT_S = 60.0  # a stream that says nothing for so long is opened anew: nothing else tells a half-open connection
ACTIONS = (
    "start",
    "die",
    "kill",
    "stop",
    "pause",
    "unpause",
    "health_status",
    "rename",
    "update",
    "destroy",
    "oom",
    "connect",
    "disconnect",
)
# What requests, urllib3 and docker-py raise for a transport that failed or a reply that is no JSON; requests'
# own errors are OSErrors, and a stream that holds no JSON ends in a RuntimeError (docker.errors.StreamParseError).
_FAILURES = (OSError, ValueError, RuntimeError, docker.errors.DockerException)
_HELP = {
    errno.ENOENT: "there is no such socket: mount it with -v /var/run/docker.sock:/var/run/docker.sock",
    errno.EACCES: "permission denied: run as root or as a member of the socket's group (--group-add)",
    errno.EPERM: "permission denied: run as root or as a member of the socket's group (--group-add)",
    errno.ECONNREFUSED: "nobody listens there: is the Docker engine running?",
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Seen:
    """All containers of the engine that run, pause or restart, and why any could not be understood, by name."""

    containers: tuple[Container, ...]
    refused: Mapping[str, Problem]


@dataclass(frozen=True, slots=True)
class Engine:
    """Who the engine is; both are empty where /info is refused."""

    id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class _Inspected:
    form: tuple[str, int]  # the list's row, and the count of events that changed the container
    container: Container


class DockerSource:
    """One connection to an engine, made at the first call and again after each failure. Use it from one thread."""

    def __init__(self, docker_host: str, environ: Mapping[str, str]) -> None:
        # As docker itself does: DOCKER_TLS_VERIFY and DOCKER_CERT_PATH turn TLS on.
        self._environ = {**environ, "DOCKER_HOST": docker_host}
        self._where = docker_host
        self._client: Any = None
        self._inspected: dict[str, _Inspected] = {}

    def containers(
        self, hints: Hints, *, everything: bool, turned: Callable[[], None] = lambda: None
    ) -> Seen:
        """Return all containers; inspect those that are new, changed, or named by an event, or `everything`.

        `turned` is called after each inspect: of hundreds, on a slow engine, they take minutes together.
        Raises Unavailable, and then nothing is known: an answer is never partial.
        """
        rows = {_text(row, "Id"): row for row in self._rows()}
        self._inspected = {id_: known for id_, known in self._inspected.items() if id_ in rows}
        refused: dict[str, Problem] = {}
        for id_, row in rows.items():
            form = (_summary(row), hints.of(id_).changes)
            known = self._inspected.get(id_)
            if (
                everything
                or known is None
                or (known.form != form and not has_ended(known.container, hints.of(id_)))
            ):
                self._inspect(id_, form, refused)
                turned()
        containers = sorted(
            (known.container for known in self._inspected.values()), key=lambda c: (c.name, c.id)
        )
        return Seen(tuple(containers), refused)

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Return whose addresses a list alone tells: one question, however many containers there are."""
        found: list[Neighbour] = []
        for row in self._rows():
            with suppress(Rejected):  # an odd one must not keep the others out
                found.append(parse_row(row))
        return tuple(found)

    def _rows(self) -> list[Any]:
        rows = self._ask("list containers", lambda client: client.containers(all=False))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Unavailable(
                f"list containers at {self._where}: {type(rows).__name__} instead of a list of objects"
            )
        return rows

    def _inspect(self, id_: str, form: tuple[str, int], refused: dict[str, Problem]) -> None:
        try:
            document = self._ask(
                "inspect a container", lambda client: client.inspect_container(id_)
            )
        except _Gone:
            self._inspected.pop(id_, None)  # it ended since it was listed
            return
        try:
            self._inspected[id_] = _Inspected(form, parse_inspect(document))
        except Rejected as error:
            # Its last form that was understood, if there is one, stays.
            refused[id_[:12]] = because("UNREADABLE", f"container {id_[:12]}: {error}")

    def is_running(self, container: str) -> bool:
        """Whether a container runs; one that does not exist does not."""
        try:
            document = self._ask(
                "inspect a container", lambda client: client.inspect_container(container)
            )
        except _Gone:
            return False
        return (
            bool(document.get("State", {}).get("Running")) if isinstance(document, dict) else True
        )

    def engine(self) -> Engine:
        """Return who the engine is."""
        try:
            document = self._ask("ask who the engine is", lambda client: client.info())
        except (_Refused, _Gone):
            return Engine(None, None)
        known = document if isinstance(document, dict) else {}
        return Engine(str(known.get("ID") or "") or None, str(known.get("Name") or "") or None)

    def events(self, since_ns: int) -> "EventStream":
        """Return the events since a time of the engine's clock; the engine remembers the last 256 at most."""
        client = self._new_client()
        params = {
            "since": f"{since_ns // 10**9}.{since_ns % 10**9:09d}",
            "filters": json.dumps({"type": ["container", "network"], "event": list(ACTIONS)}),
        }
        # Not client.events(): it waits without end, and an engine that hangs would keep the reader for good.
        url = f"{client.base_url}/v{client.api_version}/events"
        with self._translated("read events", client):
            response = client.get(url, params=params, stream=True, timeout=(DEADLINE_S, SILENT_S))
            response.raise_for_status()
        return EventStream(client, response)

    def close(self) -> None:
        """Close the connection; the next call makes another one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, what: str, question: Callable[[Any], _T]) -> _T:
        if self._client is None:
            self._client = self._new_client()
        with self._translated(what, self._client):
            return question(self._client)

    def _new_client(self) -> Any:
        with self._translated("reach the engine", None):
            # docker 7: the constructor asks for the engine's version, which is the first GET.
            client = docker.APIClient(
                **kwargs_from_env(environment=self._environ), timeout=DEADLINE_S
            )
        # A socket has no proxy: requests would search the environment for one, and for a .netrc, at every question.
        client.trust_env = not client.base_url.startswith("http+docker:")
        return client

    def _translated(self, what: str, client: Any) -> "_Translated":
        return _Translated(f"{what} at {self._where}", self, client)

    def forget(self, client: Any) -> None:
        """Close a client that failed."""
        if client is self._client:
            self.close()
        elif client is not None:
            client.close()


class _Gone(Unavailable):
    """There is no such thing: an inspected container has ended since it was listed."""


class _Refused(Unavailable):
    """The engine, or a proxy before it, does not allow the question."""


_KINDS: Mapping[int, type[Unavailable]] = {404: _Gone, 401: _Refused, 403: _Refused, 405: _Refused}


class _Translated:
    """Turn what the libraries raise into our kinds of error."""

    def __init__(self, what: str, source: DockerSource, client: Any) -> None:
        self._what, self._source, self._client = what, source, client

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, _FAILURES):
            kind = _KINDS.get(_status(error), Unavailable)
            if kind is not _Gone:
                self._source.forget(self._client)
            raise kind(f"{self._what}: {_plain(error)}") from error


class EventStream:
    """The events of one connection. Iteration ends when the connection does, by whatever end; close from any thread."""

    def __init__(self, client: Any, response: Any) -> None:
        self._client, self._response = client, response
        self._lines = CancellableStream(response.iter_lines(chunk_size=None), response)

    def __iter__(self) -> Iterator[DockerEvent]:
        try:
            for line in self._lines:
                event = _event(line)
                if event is not None:
                    yield event
        except _FAILURES:
            return  # closed, cut or silent: what the caller does next is the same
        finally:
            self._response.close()
            self._client.close()

    def close(self) -> None:
        """End the iteration, in whatever thread it is."""
        # docker-py finds the socket below three libraries; when it is closed already there is none to find.
        with suppress(*_FAILURES, AttributeError):
            self._lines.close()


def _event(line: bytes) -> DockerEvent | None:
    try:
        document = json.loads(line)
        actor = document["Actor"]
        attributes = actor.get("Attributes") or {}
        of_network = document.get("Type") == "network"
        return DockerEvent(
            container=str(attributes.get("container", "") if of_network else actor["ID"]),
            action=str(document["Action"]).partition(":")[0].strip(),
            signal=str(attributes.get("signal", "")),
            time_ns=int(document["timeNano"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # a hint that cannot be read: the next list tells


def _summary(row: Mapping[str, Any]) -> str:
    """Return all of a list's row that is worth an inspect when it changes, and nothing that changes by itself."""
    status = re.findall(
        r"\(([A-Za-z: ]+)\)", str(row.get("Status"))
    )  # (healthy), (Paused); not the age before it
    ports = sorted(map(repr, row.get("Ports") or ()))  # engines list them in any order
    # Objects come in one order, as Go writes them; from an engine that would shuffle them they only cost an inspect.
    return repr((row.get("State"), status, row.get("Names"), ports, row.get("NetworkSettings")))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise Unavailable(f"list containers: a row without {name}")
    return value


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", None) or 0)


def _plain(error: BaseException | None) -> str:
    """Return what failed in one line: libraries wrap the system's error three times over."""
    text = str(error)
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _HELP:
            return _HELP[cause.errno]
    return " ".join(text.split())[:300]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        wrapped = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = wrapped or error.__cause__ or error.__context__
