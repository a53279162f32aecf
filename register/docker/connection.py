"""Talk to an engine through the docker library, and turn all that it raises into our errors.

One question that has to be quick goes past it.
"""

import errno
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from catalog.errors import Unavailable
from register.docker.library import DEFAULT_DOCKER_API_VERSION, docker, http, kwargs_from_env
from register.docker.mount import DEAD, is_dead
from register.docker.podman import PING_HEADER, is_podman

DEADLINE_S = 4.0  # for each answer; less than the time a sidecar has to end in
# What requests, urllib3 and docker-py raise for a transport that failed or a reply that is no JSON.
# The errors of requests are OSErrors; a stream without JSON ends in a RuntimeError
# (docker.errors.StreamParseError). A refusal in JSON without a `message` makes docker-py stumble: a
# KeyError or TypeError.
FAILURES = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    docker.errors.DockerException,
)
_DENIED = "permission denied: run as root or as a member of the socket's group (--group-add)"
_HELP = {
    errno.ENOENT: (
        "the socket does not exist: mount it with -v /var/run/docker.sock:/var/run/docker.sock"
    ),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ECONNREFUSED: "nothing listens there: is the Docker engine running?",
}
_T = TypeVar("_T")


class Gone(Unavailable):
    """There is no such thing: an inspected container has ended since it was listed."""


class NotAllowed(Unavailable):
    """The engine, or a proxy before it, does not allow the question."""


_BY_STATUS: Mapping[int, type[Unavailable]] = {
    404: Gone,
    401: NotAllowed,
    403: NotAllowed,
    405: NotAllowed,
}


class Connection:
    """A client of one engine, made at the first question and again after each failure.

    `is_podman` is known from the first client on. Use it from one thread.
    """

    def __init__(self, docker_host: str, environ: Mapping[str, str]) -> None:
        # As docker itself does: DOCKER_TLS_VERIFY and DOCKER_CERT_PATH turn TLS on.
        self._environ = {**environ, "DOCKER_HOST": docker_host}
        self.where = docker_host
        self.is_podman = False
        self.clock_ns: int | None = None  # the engine's, in whole seconds, at its last answer
        self._version: str | None = None
        self._client: Any = None

    def ask(self, what: str, question: Callable[[Any], _T]) -> _T:
        """Return the answer to a question. Raises Unavailable, Gone or NotAllowed."""
        if self._client is None:
            self._client = self.new_client()
        with self.translated(what, self._client):
            return question(self._client)

    def new_client(self) -> Any:
        """Return a client of its own, for a stream that another thread reads."""
        with self.translated("reach the engine", None):
            arguments = {**kwargs_from_env(environment=self._environ), "timeout": DEADLINE_S}
            self._version = self._version or self._asked_version(arguments)
            client = docker.APIClient(**arguments, version=self._version)

        # A socket has no proxy: requests would search the environment for one, and for a .netrc,
        # at every question.
        client.trust_env = not client.base_url.startswith("http+docker:")
        client.hooks["response"].append(self._note_clock)
        return client

    def _note_clock(self, response: Any, **_: object) -> None:
        try:
            date = parsedate_to_datetime(str(response.headers.get("Date")))
        except ValueError:
            self.clock_ns = None
        else:
            self.clock_ns = int(date.timestamp()) * 10**9

    def _asked_version(self, arguments: Mapping[str, Any]) -> str:
        """Ask for the API's version, and which engine it is.

        Podman starts programs to answer /version, which takes it half a second, or many on a busy
        machine. A ping tells the same in its headers; a proxy may refuse it.
        """
        client = docker.APIClient(**arguments, version=DEFAULT_DOCKER_API_VERSION)
        try:
            pong = client.get(f"{client.base_url}/_ping", timeout=DEADLINE_S)
            if pong.ok and (version := str(pong.headers.get("Api-Version", ""))):
                self.is_podman = PING_HEADER in pong.headers
                return version
            document = client.version(api_version=False)
        finally:
            client.close()

        version = str(document.get("ApiVersion") or "") if isinstance(document, dict) else ""
        if not version:
            raise ValueError("its reply to GET /version has no ApiVersion")
        self.is_podman = is_podman(document)
        return version

    @contextmanager
    def translated(self, what: str, client: Any) -> Iterator[None]:
        """Raise our kinds of error for the libraries' errors, and close a client that failed."""
        try:
            yield
        except FAILURES as error:
            kind = _BY_STATUS.get(_status(error), Unavailable)
            if kind is not Gone:
                self._version = None  # it may be another engine when it is there again
                self._forget(client)
            why = DEAD if is_dead(self.where) else _plain(error)
            raise kind(f"{what} at {self.where}: {why}") from error

    def _forget(self, client: Any) -> None:
        if client is self._client:
            self.close()
        elif client is not None:
            client.close()

    def close(self) -> None:
        """Close the client; the next question makes another one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


class _AtSocket(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class QuickInspect:
    """Inspects over one open connection to a local engine, in half the time that docker-py takes.

    It finds nothing at any other engine, or if anything fails: then the usual way is taken. Use it
    from one thread.
    """

    def __init__(self, where: str) -> None:
        scheme, _, path = where.partition("://")
        self._engine = _AtSocket(path) if scheme == "unix" else None

    def document(self, container: str) -> object:
        """Return a container's inspect, None if that is not to be had at once."""
        if self._engine is None:
            return None

        try:
            self._engine.request("GET", f"/containers/{container}/json")
            answer = self._engine.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None
        return document if answer.status == http.client.OK else None

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._engine is not None:
            self._engine.close()


def _status(error: BaseException) -> int:
    response = getattr(_answered(error), "response", None)
    return int(getattr(response, "status_code", None) or 0)


def _answered(error: BaseException) -> BaseException:
    """Return the error that has the engine's response, if it answered."""
    with_response = (each for each in _causes(error) if getattr(each, "response", None) is not None)
    return next(with_response, error)


def _plain(error: BaseException) -> str:
    """Return what failed in one line: libraries wrap the system's error three times over."""
    for cause in _causes(error):
        # The errors of `ssl` are OSErrors too, with numbers of their own.
        if not isinstance(cause, OSError) or type(cause).__module__ != "builtins":
            continue
        if cause.errno in _HELP:
            return _HELP[cause.errno]

    words = str(_answered(error)).split()
    return " ".join(words)[:300]


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        yield cause

        wrapped = next((arg for arg in cause.args if isinstance(arg, BaseException)), None)
        cause = wrapped or cause.__cause__ or cause.__context__
