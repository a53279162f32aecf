"""Find out which registrar this is: its host, its owner record, and how other owners stand."""

import logging
import time
import uuid
from contextlib import suppress

from catalog.errors import Unavailable
from register.docker.container import Bridges
from register.docker.source import DockerSource
from register.host.identity import (
    Registrar,
    Surroundings,
    host_id,
    host_ip,
    process_alive,
    route_source,
    this_life,
    warning_of_bridge,
)
from register.host.owner import HostOwner, LifeSigns, OwnerStatus, status_of
from register.records.host_state import Host
from register.settings import RegisterSettings

log = logging.getLogger(__name__)


def identify(settings: RegisterSettings, surroundings: Surroundings) -> Registrar:
    """Return the registrar that this process is.

    Raises Unavailable without Docker or a route to etcd, WrongSettings for good.
    """
    source = docker_source(settings)
    bridges: Bridges = None
    try:
        engine = source.engine()
        neighbours = source.neighbours()
        with suppress(Unavailable):  # it only serves a warning
            bridges = source.bridges()
    finally:
        source.close()

    ip = host_ip(settings.host_ip, route_source(settings.access.members), neighbours)
    if (warning := warning_of_bridge(ip, bridges)) is not None:
        log.warning("%s", warning)
    host = Host(host_id(settings.host_id, surroundings, engine), ip, engine.id)
    mine = new_life(host, surroundings)
    return Registrar(host, mine, lambda other: _status_of(settings, other, mine))


def new_life(host: Host, surroundings: Surroundings) -> HostOwner:
    """Return an owner record that begins now."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return this_life(str(uuid.uuid4()), since, host, surroundings)


def docker_source(settings: RegisterSettings) -> DockerSource:
    """Return a connection of its own to the engine."""
    return DockerSource(settings.docker_host, settings.docker_environ)


def _status_of(settings: RegisterSettings, other: HostOwner, mine: HostOwner) -> OwnerStatus:
    is_running = None
    if other.container is not None and other.engine == mine.engine:
        source = docker_source(settings)
        try:
            is_running = source.is_running(other.container)
        finally:
            source.close()
    return status_of(other, mine, LifeSigns(process_alive(other, mine), is_running))
