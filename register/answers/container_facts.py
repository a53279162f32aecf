"""What this host has of a container, service, port or host name: a row for each container. No I/O.

Nothing of a label or variable is told but names and ports: values may be secrets.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.host_port import host_port
from catalog.keys import CONTAINER_SHORT
from catalog.records.record import Instance
from catalog.values.secrets import looks_secret
from register.answers.given import given_of
from register.docker.container import Binding, Container
from register.reasons import REASONS
from sidecar.status.problems import Problem

_CONTAINER = re.compile(r"[0-9a-f]{4,64}")
_NAMING = re.compile(r"SERVICE_(\d+_(tcp_)?)?NAME")
_PORTING = re.compile(r"SERVICE_(\d+_)?PORT")
_MEANINGS: Mapping[str, str] = {code: reason.meaning for code, reason in REASONS.items()}
_COMPOSE_SERVICE = "com.docker.compose.service"


@dataclass(frozen=True, slots=True)
class Known:
    """What the last round of the publisher had: replaced whole, so any thread may read it."""

    containers: tuple[Container, ...] = ()
    published: Mapping[str, Instance] = field(default_factory=dict)  # by key in etcd
    refused: Mapping[str, Problem] = field(default_factory=dict)


def rows_about(known: Known, what: str) -> Iterator[Mapping[str, Any]]:
    """Yield what is known of each container that a name, id, port or host name is about."""
    told: set[str] = set()
    for container in known.containers:
        published = {key: it for key, it in known.published.items() if it.container == container.id}
        if not _is_about(container, tuple(published.values()), what):
            continue

        refused = {
            where: problem
            for where, problem in known.refused.items()
            if _place(where) in (container.name, container.id[:CONTAINER_SHORT])
        }
        told |= refused.keys()
        yield _row(container, published, refused)

    # what is no running container: one that could not be started, or not be read
    others = {
        where: problem
        for where, problem in known.refused.items()
        if where not in told and _is_place(_place(where), what)
    }
    if others:
        yield {"name": what, "published": [], "refused": list(_problems(others))}


def refused_rows(known: Known, names: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield, of each name that is waited for, a row for each container and what is refused of it.

    Only if something is: all others are published, and HAProxy says more of those.
    """
    for name in names:
        rows = list(rows_about(known, name))
        if not any(row["refused"] for row in rows):
            continue
        for row in rows:
            yield {
                "name": name,
                "container": row.get("container", ""),
                "is_published": bool(row["published"]),
                "refused": row["refused"],
            }


def _row(
    container: Container, published: Mapping[str, Instance], refused: Mapping[str, Problem]
) -> Mapping[str, Any]:
    return {
        "container": container.id[:CONTAINER_SHORT],
        "name": container.name,
        "image": container.image,
        "asks": _asks(container),
        "status": "paused" if container.paused else container.status,
        "health": container.health,
        "started_ns": container.started_ns,
        "ports": [_shown(binding) for binding in container.bindings],
        "published": [_instance(container, key, published[key]) for key in sorted(published)],
        "refused": list(_problems(refused)),
    }


def _asks(container: Container) -> list[str]:
    """Return what makes the container a service: labels and variables, else its default name."""
    found = {
        key: f"{kind} {key}={'<hidden>' if looks_secret(value) else f'{value:.63}'}"
        for kind, words in (("variable", container.env), ("label", container.labels))
        for key, value in words.items()
        if _NAMING.fullmatch(key)
    }
    if found:
        return [found[key] for key in sorted(found)]

    compose = container.labels.get(_COMPOSE_SERVICE, "")
    return [f"by its compose service {compose}" if compose else f"by its image {container.image}"]


def _instance(container: Container, key: str, instance: Instance) -> Mapping[str, Any]:
    return {
        "key": key,
        "service": instance.service,
        "service_port": instance.service_port,
        "container_port": instance.container_port,
        "address": host_port(instance.address, instance.port),
        "state": instance.state,
        "role": instance.role,
        "hosts": list(instance.hosts),
        "given": given_of(container, instance),
    }


def _problems(refused: Mapping[str, Problem]) -> Iterator[Mapping[str, str]]:
    for where, problem in sorted(refused.items()):
        meaning = _MEANINGS.get(problem.code, "")
        yield {"where": where, "code": problem.code, "text": problem.text, "meaning": meaning}


def _shown(binding: Binding) -> str:
    return f"{host_port(binding.host_ip or '*', binding.host_port)} -> {binding.port}"


def _place(where: str) -> str:
    """Return the container of a refusal, whose place is `name`, `name:port` or `name label`."""
    return re.split(r"[: ]", where, maxsplit=1)[0]


def _is_place(place: str, what: str) -> bool:
    is_id = _CONTAINER.fullmatch(what) and _CONTAINER.fullmatch(place)
    return place == what or bool(is_id and place.startswith(what[:CONTAINER_SHORT]))


def _is_about(container: Container, published: tuple[Instance, ...], what: str) -> bool:
    name, _, port = what.partition(":")
    if what == container.name or _is_id(container, name):
        return True
    if any(_is_instance_about(instance, what) for instance in published):
        return True
    if what.isdecimal():
        return int(what) in _ports_of(container) or what in _values(container, _PORTING)
    return name in _names_of(container) and (not port or port.isdecimal())


def _is_id(container: Container, what: str) -> bool:
    return bool(_CONTAINER.fullmatch(what)) and container.id.startswith(what)


def _is_instance_about(instance: Instance, what: str) -> bool:
    port = str(instance.service_port)
    own = (instance.service, port, f"{instance.service}:{port}", *instance.hosts)
    return what in own or what == host_port(instance.address, instance.port)


def _ports_of(container: Container) -> set[int]:
    ports = {port.number for port in container.exposed}
    for binding in container.bindings:
        ports |= {binding.port.number, binding.host_port}
    return ports


def _names_of(container: Container) -> set[str]:
    """Return what the container's service is or would be called, published or not."""
    image = container.image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    given = _values(container, _NAMING) | {container.labels.get(_COMPOSE_SERVICE, ""), image}
    return {re.sub("[_./]", "-", name.lower()) for name in given if name}


def _values(container: Container, key: re.Pattern[str]) -> set[str]:
    words = (container.labels, container.env)
    return {value for texts in words for name, value in texts.items() if key.fullmatch(name)}
