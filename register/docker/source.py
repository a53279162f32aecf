"""The only door to Docker: lists, inspects, events. Only GETs, each with a deadline; no retry.

The questions are few, so that a proxy before the socket can refuse all others: /version,
/containers/json, /containers/<id>/json, /events; and /info and /networks, which it may refuse.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from catalog.errors import Rejected, Unavailable
from register.docker.connection import Connection, Gone, NotAllowed
from register.docker.container import Bridges, Container, Neighbour
from register.docker.event_stream import EventStream, open_events
from register.docker.hints import Hints, has_ended
from register.docker.mount import is_alone
from register.docker.parse import parse_bridges, parse_inspect, parse_row
from register.docker.podman import is_listed, with_own_ports
from register.reasons import because
from sidecar.status.problems import Problem

# What says nothing about a network: every address, or the loopback that Docker writes.
NOT_SPECIFIC = frozenset({"", "0.0.0.0", "::", "127.0.0.1", "::1"})  # noqa: S104

# No name has so many digits of its own image's id by chance; and docker images shows 12.
_TOO_MANY_TO_MATCH = 8


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


@dataclass(frozen=True, slots=True)
class _Inspected:
    form: _Form
    container: Container


class DockerSource:
    """What one engine knows. Use it from one thread; an event stream from another."""

    def __init__(self, docker_host: str, environ: Mapping[str, str]) -> None:
        self._connection = Connection(docker_host, environ)
        self._inspected: dict[str, _Inspected] = {}
        self._bridges: Bridges = ()
        self._looked_up: frozenset[str] = frozenset()  # what the bridges were last asked for

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
        rows = {_text(row, "Id"): row for row in self._rows()}
        self._inspected = {id_: known for id_, known in self._inspected.items() if id_ in rows}

        refused: dict[str, Problem] = {}
        for id_, row in rows.items():
            form = _Form(_summary(row), hints.of(id_).changes)
            if everything or self._is_changed(id_, form, hints):
                self._inspect(row, form, refused)
                turned()

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
            document = self._connection.ask("list networks", lambda client: client.networks())
        except (NotAllowed, Gone):
            self._bridges = None
        else:
            self._bridges = parse_bridges(document)
        self._looked_up = addresses

    def _is_changed(self, id_: str, form: _Form, hints: Hints) -> bool:
        known = self._inspected.get(id_)
        if known is None:
            return True
        return known.form != form and not has_ended(known.container, hints.of(id_))

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Return all containers by their list alone: one question, however many there are."""
        found: list[Neighbour] = []
        for row in self._rows():
            with suppress(Rejected):  # an odd one must not keep the others out
                found.append(parse_row(row))
        return tuple(found)

    def _rows(self) -> list[Any]:
        what = "list containers"
        # Podman's list of those that run lacks some that Docker's has.
        connection = self._connection
        rows = connection.ask(what, lambda client: client.containers(all=connection.is_podman))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            seen = f"{type(rows).__name__} instead of a list of objects"
            raise Unavailable(f"{what} at {connection.where}: {seen}")
        return [row for row in rows if is_listed(row)] if connection.is_podman else rows

    def _inspect(self, row: Mapping[str, Any], form: _Form, refused: dict[str, Problem]) -> None:
        id_ = _text(row, "Id")
        try:
            document = self._document(id_)
        except Gone:
            self._inspected.pop(id_, None)  # it ended since it was listed
            return

        try:
            container = parse_inspect(document)
        except Rejected as error:
            # Its last form that was understood, if there is one, stays.
            refused[id_[:12]] = because("UNREADABLE", f"container {id_[:12]}: {error}")
            return

        if container.image_is_id and self._is_name(
            container.image, str(document.get("Image")), row
        ):
            container = replace(container, image_is_id=False)
        self._inspected[id_] = _Inspected(form, container)

    def _is_name(self, image: str, image_id: str, row: Mapping[str, Any]) -> bool:
        """Whether a text is an image's name although the image's id begins with it, as `cafe` may.

        The list shows the id for an image that lost its name since; else the image has it as a tag.
        """
        if len(image) >= _TOO_MANY_TO_MATCH:
            return False
        if row.get("Image") != image:
            return True

        try:
            found = self._connection.ask(
                "inspect an image", lambda client: client.inspect_image(image_id)
            )
        except (NotAllowed, Gone):
            return False
        return isinstance(found, dict) and f"{image}:latest" in (found.get("RepoTags") or ())

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

        state = document.get("State", {}) if isinstance(document, dict) else {"Running": True}
        return bool(state.get("Running")) or state.get("Status") == "stopping"

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
        name = str(known.get("Name") or "")
        return Engine(identity or None, name or None)

    def events(self, since_ns: int) -> EventStream:
        """Return the events since a time of the engine's clock; it remembers 256 at most."""
        return open_events(self._connection, since_ns)

    def close(self) -> None:
        """Close the connection; the next call makes another one."""
        self._connection.close()


def _summary(row: Mapping[str, Any]) -> str:
    """Return all of a list's row that is worth an inspect when it changes by somebody's act."""
    # (healthy), (Paused); not the age before it, which changes by itself
    status = re.findall(r"\(([A-Za-z: ]+)\)", str(row.get("Status")))
    ports = sorted(map(repr, row.get("Ports") or ()))  # engines list them in any order
    # Go writes the fields of an object in one order; in another they would only cost an inspect.
    return repr((row.get("State"), status, row.get("Names"), ports, row.get("NetworkSettings")))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise Unavailable(f"list containers: a row without {name}")
    return value
