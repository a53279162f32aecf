"""What Podman's Docker-compatible API says otherwise than Docker does. No I/O.

Seen on Podman 4.3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from register.docker.container import Container
from register.docker.hints import DockerEvent

# Its events that Docker does not have, and what they mean in Docker's words. Podman before 4.4
# knows only its own names in a filter.
EVENTS: Mapping[str, str] = {
    "died": "die",
    "remove": "destroy",
    "cleanup": "stop",
    # Told before the container is stopped, while Docker's comes after it was started again. A
    # container that is only stopped has no such event.
    "restart": "kill",
}
# Up to 4.6 it tells of a health check before it is made, with the health until then: the end of any
# command shows when to look. Docker never tells this.
EXEC_DIED = "exec_died"
PING_HEADER = "Libpod-API-Version"  # of its reply to GET /_ping
# Its list of the containers that run leaves out those that are paused or being stopped, and refuses
# Docker's filter for them.
LISTED = frozenset({"running", "paused", "stopping", "restarting"})


def is_podman(version: object) -> bool:
    """Whether this is Podman's reply to GET /version."""
    if not isinstance(version, dict):
        return False

    components = version.get("Components") or ()
    names = [part.get("Name") for part in components if isinstance(part, dict)]
    return "Podman Engine" in names


def in_dockers_words(event: DockerEvent) -> DockerEvent:
    """Return what Docker would have told."""
    action = EVENTS.get(event.action, event.action)
    signal = "KILL" if event.action == "restart" else event.signal

    return replace(event, action=action, signal=signal)


def health_in(document: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """Return the health that an event has in a field, or that a command's exit status hints at."""
    if document.get("Action") == EXEC_DIED:
        status = attributes.get("containerExitCode")
        return "healthy" if status == "0" else "unhealthy"

    return str(document.get("HealthStatus") or attributes.get("health_status") or "")


def is_listed(row: Mapping[str, Any]) -> bool:
    """Whether Docker would have a row of the list of all containers in that of those that run."""
    return row.get("State") in LISTED


def with_own_ports(containers: Iterable[Container]) -> list[Container]:
    """Return the containers with no ports but their own.

    Podman shows the ports of the container whose network one is on, as Docker does not. Those of a
    pod are its members', unless labels of the pod itself say what they are.
    """
    all_ = {container.id: container for container in containers}

    members: dict[str, list[str]] = {}
    for container in all_.values():
        members.setdefault(_network_of(container), []).append(container.name)

    settled: list[Container] = []
    for container in all_.values():
        owner = _network_of(container)
        if owner:
            settled.append(_in_pod(container, all_.get(owner), sorted(members[owner])))
        else:
            settled.append(container)
    return settled


def _network_of(container: Container) -> str:
    """Return the id of the container on whose network one is."""
    mode, _, owner = container.network_mode.partition(":")
    return owner if mode == "container" else ""


def _in_pod(container: Container, owner: Container | None, members: list[str]) -> Container:
    is_in_pod = owner is not None and owner.is_infra
    if not is_in_pod or _is_labelled(owner):
        return replace(container, bindings=(), unclear=())

    mates = tuple(name for name in members if name != container.name)
    return replace(container, mates=mates)


def _is_labelled(pod: Container | None) -> bool:
    labels = pod.labels if pod else ()
    return any(name.startswith("SERVICE_") for name in labels)
