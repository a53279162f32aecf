"""Who and where this host is: its id, the address to announce, and the facts by which one life is told from another."""

import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from catalog.access import Member
from catalog.errors import Unavailable
from catalog.keys import HOST_ID
from register.docker.container import Neighbour
from register.docker.source import Engine
from register.host.owner import HostOwner, LifeSigns
from register.records.host_state import Host
from sidecar.options import WrongSettings

PROC = Path("/proc")
MACHINE_ID = Path(
    "/etc/machine-id"
)  # machine-id(5): 32 hexadecimal digits, the same for the life of an installation
# Docker mounts these from the container's own directory; podman puts one directory more between.
_OWN = re.compile(r"containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process can see of itself."""

    container: str | None
    contained: bool
    machine_id: str | None
    hostname: str


def surroundings(proc: Path = PROC, machine_id: Path = MACHINE_ID) -> Surroundings:
    """Return what can be read from the files of this process."""
    mounts = _read(proc / "self/mountinfo") or ""
    container = own_container(mounts)
    points = {point for _, point in _mounts(mounts)}
    # Every engine mounts these two; /.dockerenv is also left in machines that were made from an image.
    contained = bool(points & {"/etc/hostname", "/etc/hosts"})
    # An image may carry a machine id of its own, the same on every host: only a mounted one is the host's.
    visible = not contained or str(machine_id) in points
    return Surroundings(
        container, contained, _read(machine_id) if visible else None, socket.gethostname()
    )


def own_container(mountinfo: str) -> str | None:
    """Return the id of the container that this process runs in, from /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    for root, point in _mounts(mountinfo):
        # On the host itself other containers' directories are mounted too, but never on these files.
        if point in ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf") and (
            match := _OWN.search(root)
        ):
            return match[1]
    return None


def _mounts(mountinfo: str) -> Iterable[tuple[str, str]]:
    rows = (line.split(" ") for line in mountinfo.splitlines())
    return ((row[3], row[4]) for row in rows if len(row) > 4)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def host_id(explicit: str | None, around: Surroundings, engine: Engine) -> str:
    """Return a name of this host that outlives its containers. Raises WrongSettings if there is none."""
    own_name = None if around.contained else around.hostname
    for found in (explicit, around.machine_id, engine.name, own_name):
        if found and HOST_ID.fullmatch(found):
            return found
    raise WrongSettings(
        [
            "HOST_ID: this host's identity cannot be seen from here; set HOST_ID, "
            "or mount it with -v /etc/machine-id:/etc/machine-id:ro"
        ]
    )


def host_ip(explicit: str | None, route_source: str, containers: Iterable[Neighbour]) -> str:
    """Return the address to announce. Raises WrongSettings for one that no other host could call."""
    if explicit is not None:
        if (
            ipaddress.ip_address(explicit).is_loopback
            and not ipaddress.ip_address(route_source).is_loopback
        ):
            text = f"HOST_IP: {explicit} is loopback, but etcd is on another machine ({route_source} leads there)"
            raise WrongSettings([f"{text}; name an address that other hosts can call"])
        return explicit
    for container in containers:
        if route_source in container.addresses:
            text = f"HOST_IP: the route to etcd starts at {route_source}, which is container {container.name}"
            raise WrongSettings(
                [f"{text}; set HOST_IP to the host's own address, or run with --net host"]
            )
    return route_source


def route_source(members: Iterable[Member]) -> str:
    """Return the address from which this host reaches etcd. Sends nothing. Raises Unavailable if there is no route."""
    why = ""
    for member in members:
        try:
            for family, _, _, _, address in socket.getaddrinfo(
                member.host, member.port, type=socket.SOCK_DGRAM
            ):
                with socket.socket(family, socket.SOCK_DGRAM) as sock:
                    sock.connect(address)
                    return str(ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]))
        except OSError as error:
            why = f"{member}: {error.strerror or error}"
    raise Unavailable(f"no route to etcd at {why}")


def this_life(
    life: str, since: str, host: Host, around: Surroundings, proc: Path = PROC
) -> HostOwner:
    """Return the owner record of this process."""
    return HostOwner(
        life=life,
        host_ip=host.ip,
        hostname=around.hostname,
        since=since,
        engine=host.engine,
        container=around.container,
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


def signs_of(other: HostOwner, mine: HostOwner, container_running: bool | None) -> LifeSigns:
    """Return what is known about whether another owner lives."""
    return LifeSigns(process_alive(other, mine), container_running)


def _pid_namespace(proc: Path) -> str:
    try:
        return str((proc / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started_ticks(stat: Path) -> int | None:
    """Return when a process started, in ticks since boot; None if it is gone (proc_pid_stat(5), fields 3 and 22)."""
    text = _read(stat)
    fields = text.rpartition(")")[2].split() if text else []  # the name before it may hold spaces
    return int(fields[19]) if len(fields) > 19 and fields[0] not in ("Z", "X") else None
