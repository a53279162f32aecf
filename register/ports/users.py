"""Which ports of the host a container has, or gets at its next start. No I/O.

A container that was only created counts: Docker binds its ports a moment later. One that has ended
counts while Docker would start it again, and for a while else: people stop and start by hand.
"""

import re
from dataclasses import dataclass

from catalog.records.host_ports import EVERY, HostPort
from register.docker.container import Container
from register.reasons import because
from sidecar.status.problems import Problem

# How long the ports of an ended container are kept for it, if Docker does not start it again.
KEPT_S = 600.0
SHOWN = 400  # characters of an engine's error
NAME_SHOWN = 80  # characters of a container's name, as all hosts keep it
_ENDPOINT = re.compile(r" \([0-9a-f]{64}\)")  # says nothing to people
_BOUND = frozenset({"created", "running", "paused", "restarting"})
_ENDED = frozenset({"exited", "stopped"})


@dataclass(frozen=True, slots=True)
class PortUser:
    """A container with ports of the host, and until when they are its own."""

    name: str
    ports: tuple[HostPort, ...]
    until_s: float | None  # of the monotonic clock; None: while it exists
    error: str = ""  # why its last start failed

    def problem(self) -> Problem | None:
        """Return why it does not run, if Docker could not start it."""
        if not self.error:
            return None

        right = f"`docker start {self.name}` tries again"
        return because("START_FAILED", f"{self.name} was not started: {self.error}; {right}")


def user_of(container: Container, now_s: float, before: PortUser | None) -> PortUser | None:
    """Return the user of ports that a container is, if it is one."""
    if container.status not in _BOUND | _ENDED:
        return None

    error = " ".join(_ENDPOINT.sub("", container.start_error).split())[:SHOWN]
    ports = _ports(container)
    if not ports and not (error and container.status == "created"):
        return None

    until_s = None
    if container.status in _ENDED and not container.is_restarted and not error:
        until_s = before.until_s if before and before.until_s else now_s + KEPT_S
    return PortUser(container.name, ports, until_s, error)


def _ports(container: Container) -> tuple[HostPort, ...]:
    if container.network_mode == "host":  # its -p is ignored
        return ()

    by = container.name[:NAME_SHOWN]
    found = {
        HostPort(binding.host_port, binding.host_ip or EVERY, by)
        for binding in container.asked
        if binding.port.protocol == "tcp"
    }
    return tuple(sorted(found))
