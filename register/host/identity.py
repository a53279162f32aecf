"""Which host this is, at which address, and which life of a registrar this process is.

Reads files of the kernel and asks for routes; sends nothing.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from catalog.access import Member
from catalog.errors import Unavailable
from catalog.keys import HOST_ID
from register.docker.container import Bridges, Neighbour
from register.docker.source import Engine
from register.host.owner import HostOwner, OwnerStatus
from register.records.host_state import Host
from sidecar.options import WrongSettings

PROC = Path("/proc")
# machine-id(5): 32 hexadecimal digits, the same for the life of an installation
MACHINE_ID = Path("/etc/machine-id")
# Docker mounts these from the container's own directory; podman has one directory more between.
_OWN = re.compile(r"containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)")
_MOUNTED_BY_ENGINES = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Registrar:
    """This life of the registrar: its host, its owner record, and how another owner stands."""

    host: Host
    owner: HostOwner
    status_of: Callable[[HostOwner], OwnerStatus]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process can see of the machine or container that it runs in."""

    container: str | None
    is_contained: bool
    machine_id: str | None
    hostname: str


class _Mount(NamedTuple):
    root: str
    point: str


def read_surroundings(proc: Path = PROC, machine_id: Path = MACHINE_ID) -> Surroundings:
    """Return what the files of this process show."""
    mountinfo = _read(proc / "self/mountinfo") or ""
    points = {mount.point for mount in _mounts(mountinfo)}
    # Every engine mounts these two. /.dockerenv is no sign: machines made from an image have it.
    is_contained = bool(points & {"/etc/hostname", "/etc/hosts"})
    # An image may carry a machine id, the same on every host: only a mounted one is the host's.
    is_hosts_own = not is_contained or str(machine_id) in points

    return Surroundings(
        own_container(mountinfo),
        is_contained,
        _read(machine_id) if is_hosts_own else None,
        socket.gethostname(),
    )


def own_container(mountinfo: str) -> str | None:
    """Return the id of the container that this process runs in.

    /proc/self/mountinfo (proc_pid_mountinfo(5)) shows it.
    """
    for mount in _mounts(mountinfo):
        # The host itself has other containers' directories mounted too, but never at these files.
        match = _OWN.search(mount.root) if mount.point in _MOUNTED_BY_ENGINES else None
        if match:
            return match[1]
    return None


def _mounts(mountinfo: str) -> list[_Mount]:
    rows = [line.split(" ") for line in mountinfo.splitlines()]
    return [_Mount(row[3], row[4]) for row in rows if len(row) > 4]


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def host_id(explicit: str | None, surroundings: Surroundings, engine: Engine) -> str:
    """Return a name of this host that outlives its containers.

    Raises WrongSettings if there is none.
    """
    own_name = None if surroundings.is_contained else surroundings.hostname
    for name in (explicit, surroundings.machine_id, engine.name, own_name):
        if name and HOST_ID.fullmatch(name):
            return name

    raise WrongSettings(
        [
            "HOST_ID: cannot find out this host's identity; set HOST_ID, "
            "or mount it with -v /etc/machine-id:/etc/machine-id:ro"
        ]
    )


def host_ip(explicit: str | None, route_source: str, containers: Iterable[Neighbour]) -> str:
    """Return the address to announce.

    Raises WrongSettings for one that no other host could call.
    """
    if explicit is not None:
        _check_explicit(explicit, route_source)
        return explicit

    for container in containers:
        if route_source in container.addresses:
            raise WrongSettings(
                [
                    f"HOST_IP: the route to etcd starts at {route_source}, "
                    f"which is container {container.name}; "
                    "set HOST_IP to the host's own address, or run with --net host"
                ]
            )
    return route_source


def _check_explicit(address: str, route_source: str) -> None:
    etcd_is_here = ipaddress.ip_address(route_source).is_loopback
    if ipaddress.ip_address(address).is_loopback and not etcd_is_here:
        raise WrongSettings(
            [
                f"HOST_IP: {address} is loopback, but etcd is on another machine "
                f"({route_source} leads there); name an address that other hosts can call"
            ]
        )


def warning_of_bridge(address: str, bridges: Bridges) -> str | None:
    """Return what to tell of a HOST_IP on a bridge, as the route to an etcd in a container has."""
    own = ipaddress.ip_address(address)
    for subnet in bridges or ():
        if own in subnet:
            seen = f"HOST_IP {address} is this host's address on a Docker network ({subnet})"
            return f"{seen}: other hosts cannot call it; if there are any, set HOST_IP"
    return None


def route_source(members: Iterable[Member]) -> str:
    """Return the address from which this host reaches etcd. Sends nothing.

    Raises Unavailable if there is no route.
    """
    why = ""
    for member in members:
        try:
            found = socket.getaddrinfo(member.host, member.port, type=socket.SOCK_DGRAM)
            for family, _, _, _, address in found:
                with socket.socket(family, socket.SOCK_DGRAM) as sock:
                    sock.connect(address)
                    own, *_ = sock.getsockname()
                return str(ipaddress.ip_address(own.partition("%")[0]))
        except OSError as error:
            why = f"{member}: {error.strerror or error}"
    raise Unavailable(f"no route to etcd at {why}")


def this_life(
    life: str, since: str, host: Host, surroundings: Surroundings, proc: Path = PROC
) -> HostOwner:
    """Return the owner record of this process."""
    return HostOwner(
        life=life,
        host_ip=host.ip,
        hostname=surroundings.hostname,
        since=since,
        engine=host.engine,
        container=surroundings.container,
        pid=os.getpid(),
        pid_namespace=_pid_namespace(proc),
        boot_id=_read(proc / "sys/kernel/random/boot_id") or "",
        started_ticks=_started_ticks(proc / "self/stat") or 0,
    )


def process_alive(other: HostOwner, mine: HostOwner, proc: Path = PROC) -> bool | None:
    """Whether another owner's process lives; None if it cannot be seen from here."""
    if (other.boot_id, other.pid_namespace) != (mine.boot_id, mine.pid_namespace):
        return None
    return _started_ticks(proc / str(other.pid) / "stat") == other.started_ticks


def _pid_namespace(proc: Path) -> str:
    try:
        return str((proc / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started_ticks(stat: Path) -> int | None:
    """Return when a process started, in ticks since boot; None if it is gone.

    These are fields 3 and 22 of proc_pid_stat(5), after a name that may hold spaces.
    """
    text = _read(stat)
    fields = text.rpartition(")")[2].split() if text else []
    return int(fields[19]) if len(fields) > 19 and fields[0] not in ("Z", "X") else None
