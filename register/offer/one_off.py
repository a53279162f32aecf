"""Which containers are no part of a service although they may publish a port. No I/O."""

import re

from register.docker.container import Container

# What started a container for itself alone, by the label that it sets. docker-compose 1 and
# docker compose write True, and False for all others.
_ONE_OFFS = {
    "com.docker.compose.oneoff": "docker compose run",
    "org.testcontainers": "Testcontainers",
}
PODMAN_PROJECT = "io.podman.compose.project"
# podman-compose sets no such label, but gives such a name
_PODMAN_RUN = re.compile(r".+[_-]tmp[0-9]{1,5}")


def one_off_of(container: Container) -> str:
    """Return what started a container for itself alone, or an empty text.

    It has the labels of the service that it was started from, so none of them asks for it.
    """
    for label, program in _ONE_OFFS.items():
        if container.labels.get(label, "").lower() == "true":
            return program

    if PODMAN_PROJECT in container.labels and _PODMAN_RUN.fullmatch(container.name):
        return "podman-compose run"
    return ""
