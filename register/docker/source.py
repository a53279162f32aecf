"""The only door to Docker: lists, inspects, events. Only GETs, each with a deadline; no retry.

The questions are few, so that a proxy before the socket can refuse all others: /version,
/containers/json, /containers/<id>/json, /events; and /_ping, /info, /networks and
/images/<id>/json, which it may refuse.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from catalog.errors import Rejected, Unavailable
from register.docker.connection import Connection, Gone, NotAllowed, QuickInspect
from register.docker.container import Bridges, Container, Neighbour
from register.docker.event_stream import EventStream, open_events
from register.docker.hints import Hint, Hints, has_ended
from register.docker.images import Images
from register.docker.mount import is_alone
from register.docker.parse import parse_bridges, parse_inspect, parse_row, row_id
from register.docker.podman import is_listed, with_own_ports
from register.reasons import because
from sidecar.status.problems import Problem

# What says nothing about a network: every address, or the loopback that Docker writes.
NOT_SPECIFIC = frozenset({"", "0.0.0.0", "::", "127.0.0.1", "::1"})  # noqa: S104
# An engine that answers may still fail to say anything of one container, for good (500), or hang
# over it until the deadline. A few of those cost themselves alone; more are the engine's failure.
FAILED_ALONE = 3
FAILED_AGAIN_S = 60.0
LOOK_UPS = 3  # that may fail before rounds go on without


@dataclass(frozen=True, slots=True)
class ContainerList:
    """All containers that run, pause or restart; and by name, why one could not be understood."""

    containers: tuple[Container, ...]
    refused: Mapping[str, Problem]
    bridges: Bridges = ()  # looked up only where a port is published at one address


@dataclass(frozen=True, slots=True)
class Engine:
    """Which engine it is; both are empty where /info is refused, the id also with Podman."""

    id: str | None
    name: str | None


class _Form(NamedTuple):
    """What a container has to be inspected for when it changes."""

    row: str  # of the list
    changes: int  # events that changed the container


class _Inspected(NamedTuple):
    form: _Form
    container: Container


@dataclass(frozen=True, slots=True)
class _Failed:
    """A container whose inspect failed while the engine answers the rest."""

    form: _Form
    again_s: float  # when to ask for it again; of the monotonic clock
    problem: Problem | None = None  # None: it failed once, which may be the engine


class DockerSource:
    """What one engine knows. Use it from one thread; an event stream from another."""

    def __init__(self, docker_host: str, environ: Mapping[str, str]) -> None:
        self._connection = Connection(docker_host, environ)
        self._quick_inspect = QuickInspect(docker_host)
        self._images = Images(self._connection)
        self._inspected: dict[str, _Inspected] = {}
        self._failed: dict[str, _Failed] = {}
        self._began_s = 0.0  # the last list
        self._refused: Mapping[str, Problem] | None = None  # by the last list; None before it
        self._bridges: Bridges = ()
        self._looked_up: frozenset[str] = frozenset()  # what the bridges were last asked for
        self._look_ups_failed = 0  # in a row

    @property
    def clock_ns(self) -> int | None:
        """The engine's clock at its last answer, in whole seconds; None if it did not tell."""
        return self._connection.clock_ns

    @property
    def is_mounted_alone(self) -> bool:
        """Whether the engine's socket is mounted by itself: it dies with an engine's restart."""
        return is_alone(self._connection.where)

    def containers(
        self, hints: Hints, *, everything: bool, turned: Callable[[], None] = lambda: None
    ) -> ContainerList:
        """Return all containers; inspect those that are new or changed, or `everything`.

        `turned` is called after each inspect: on a slow engine, hundreds of them take minutes.
        Raises Unavailable, and then nothing is known: an answer is never partial.
        """
        self._began_s = time.monotonic()
        rows, refused = self._rows()
        if not refused:  # else the odd rows may be of containers that seem to be missing
            self._inspected = {id_: known for id_, known in self._inspected.items() if id_ in rows}
        self._failed = {id_: failed for id_, failed in self._failed.items() if id_ in rows}

        for id_, row in rows.items():
            form = _Form(_summary(row), hints.of(id_).changes)
            if everything or self._is_changed(id_, form, hints):
                self._inspect(row, form, refused)
                turned()

        for id_, failed in self._failed.items():
            if failed.problem is not None:
                refused[id_[:12]] = failed.problem
        self._refused = refused
        return self._known(refused, everything=everything)

    def with_started(self, ids: Iterable[str], hints: Hints) -> ContainerList | None:
        """Return the last list with containers that started since; None where a list must tell."""
        if self._refused is None or self._connection.is_podman:
            return None
        try:
            is_told = all(self._take_started(id_, hints.of(id_)) for id_ in ids)
            return self._known(self._refused, everything=False) if is_told else None
        except (Unavailable, Rejected):
            return None

    def _take_started(self, id_: str, hint: Hint) -> bool:
        if hint.died_ns or id_ in self._failed:
            return False
        self._began_s = time.monotonic()
        document = self._quick_inspect.document(id_) or self._document(id_)
        container = self._with_first_sight(self._described(document))
        if container.running:
            # The next list inspects it again: no row of a list is empty.
            self._inspected[id_] = _Inspected(_Form("", hint.changes), container)
        return container.running

    def _known(self, refused: Mapping[str, Problem], *, everything: bool) -> ContainerList:
        containers = with_own_ports(known.container for known in self._inspected.values())
        containers.sort(key=lambda container: (container.name, container.id))
        self._look_up_bridges(containers, everything=everything)
        return ContainerList(tuple(containers), refused, self._bridges)

    def _look_up_bridges(self, containers: Iterable[Container], *, everything: bool) -> None:
        """Ask for the engine's bridges if a port is published at an address that is new."""
        bindings = (binding for container in containers for binding in container.bindings)
        addresses = frozenset(binding.host_ip for binding in bindings) - NOT_SPECIFIC
        if addresses <= self._looked_up and not (everything and addresses):
            return

        try:
            self._bridges = self.bridges()
        except Unavailable:
            # Once it may be the engine. If it goes on to answer all but this, what is known stays.
            self._look_ups_failed += 1
            if self._look_ups_failed < LOOK_UPS:
                raise
            self._bridges = self._bridges if self._looked_up else None
            return

        self._look_ups_failed = 0
        self._looked_up = addresses

    def bridges(self) -> Bridges:
        """Return the subnets of the engine's bridges; None where it must not tell."""
        try:
            document = self._connection.ask("list networks", lambda client: client.networks())
        except (NotAllowed, Gone):
            return None
        return parse_bridges(document)

    def _is_changed(self, id_: str, form: _Form, hints: Hints) -> bool:
        failed = self._failed.get(id_)
        if failed is not None and failed.form == form:
            return time.monotonic() >= failed.again_s

        known = self._inspected.get(id_)
        if known is None:
            return True
        return known.form != form and not has_ended(known.container, hints.of(id_))

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Return all containers by their list alone: one question, however many there are."""
        rows, _ = self._rows()
        return tuple(parse_row(row) for row in rows.values())

    def _rows(self) -> tuple[dict[str, Any], dict[str, Problem]]:
        """Return the rows of the list by id, and why others cannot be understood.

        Raises Unavailable if that is true of all: then it is no list.
        """
        what = "list containers"
        # Podman's list of those that run lacks some that Docker's has.
        connection = self._connection  # it knows the engine once it is asked
        listed = connection.ask(what, lambda client: client.containers(all=connection.is_podman))
        if not isinstance(listed, list):
            seen = f"{type(listed).__name__} instead of a list of objects"
            raise Unavailable(f"{what} at {self._connection.where}: {seen}")

        rows: dict[str, Any] = {}
        odd: list[str] = []
        for row in listed:
            try:
                rows[row_id(row)] = row
            except Rejected as error:
                odd.append(str(error))

        if connection.is_podman:
            rows = {id_: row for id_, row in rows.items() if is_listed(row)}
        if odd and not rows:
            raise Unavailable(f"{what} at {self._connection.where}: {odd[0]}")
        if not odd:
            return rows, {}
        text = f"{len(odd)} of {len(listed)} containers cannot be told, so none counts as gone"
        return rows, {"list": because("UNREADABLE", f"{text}: {odd[0]}")}

    def _inspect(self, row: Mapping[str, Any], form: _Form, refused: dict[str, Problem]) -> None:
        id_ = row_id(row)
        try:
            container = self._with_first_sight(self._described(self._document(id_), row))
            self._inspected[id_] = _Inspected(form, container)
        except Gone:
            self._inspected.pop(id_, None)  # it ended since it was listed
        except NotAllowed:
            raise
        except Unavailable as error:
            self._failed[id_] = self._failure(id_, form, error)
            return
        except Rejected as error:
            # Its last form that was understood, if there is one, stays.
            refused[id_[:12]] = because("UNREADABLE", f"container {id_[:12]}: {error}")
        self._failed.pop(id_, None)

    def _described(self, document: Any, row: Mapping[str, Any] | None = None) -> Container:
        container = parse_inspect(document)
        row = row or {"Image": container.image}  # as of an image that has its name still
        return self._images.settled(container, str(document.get("Image") or ""), row)

    def _with_first_sight(self, container: Container) -> Container:
        """Return the container with what is known of when this start was first listed."""
        known = self._inspected.get(container.id)
        if known is not None and known.container.started_ns == container.started_ns:
            before = known.container
            return replace(container, seen_s=before.seen_s, was_there=before.was_there)
        return replace(container, seen_s=self._began_s, was_there=self._refused is None)

    def _failure(self, id_: str, form: _Form, error: Unavailable) -> _Failed:
        """Return what is kept of a failed inspect.

        Raises Unavailable where it may be the engine that fails: the first time, and of many.
        """
        now_s = time.monotonic()
        is_first = id_ not in self._failed
        before = self._failed.setdefault(id_, _Failed(form, now_s))
        alone = [failed for failed in self._failed.values() if failed.problem is not None]
        if is_first or len(alone) - (before in alone) >= FAILED_ALONE:
            raise error

        # Its last form that was understood, if there is one, stays.
        problem = because("UNREADABLE", f"container {id_[:12]}: {error}")
        return _Failed(form, now_s + FAILED_AGAIN_S, problem)

    def _document(self, id_: str) -> Any:
        return self._connection.ask(
            "inspect a container", lambda client: client.inspect_container(id_)
        )

    def is_running(self, container: str) -> bool:
        """Whether a container runs; one that does not exist does not."""
        try:
            document = self._document(container)
        except Gone:
            return False

        try:
            return parse_inspect(document).running
        except Rejected:
            return True

    def engine(self) -> Engine:
        """Return which engine it is."""
        try:
            document = self._connection.ask(
                "read the engine's name and id", lambda client: client.info()
            )
        except (NotAllowed, Gone):
            return Engine(None, None)

        known = document if isinstance(document, dict) else {}
        # Podman makes up another id for every question.
        identity = "" if self._connection.is_podman else str(known.get("ID") or "")
        return Engine(identity or None, str(known.get("Name") or "") or None)

    def events(self, since_ns: int) -> EventStream:
        """Return the events since a time of the engine's clock; it remembers 256 at most."""
        return open_events(self._connection, since_ns)

    def close(self) -> None:
        """Close the connections; the next call makes others."""
        self._quick_inspect.close()
        self._connection.close()


def _summary(row: Mapping[str, Any]) -> str:
    """Return all of a list's row that is worth an inspect when it changes by somebody's act."""
    # (healthy), (Paused); not the age before it, which changes by itself
    status = re.findall(r"\(([A-Za-z: ]+)\)", str(row.get("Status")))
    ports = row.get("Ports")
    if isinstance(ports, list):
        ports = sorted(map(repr, ports))  # engines list them in any order
    # Go writes the fields of an object in one order; in another they would only cost an inspect.
    return repr((row.get("State"), status, row.get("Names"), ports, row.get("NetworkSettings")))
