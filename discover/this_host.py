"""What this host adds to a configuration: paths, addresses, and HAProxy's user and limits."""

import functools
import grp
import os
import platform
import pwd
import resource
from dataclasses import replace
from pathlib import Path

from discover.haproxy.ports import (
    BRIDGE,
    PODMAN_BRIDGES,
    bridge_gateway,
    bridge_gateway6,
    has_address,
)
from discover.haproxy.process import Paths
from discover.model.proxy_config import Bind, Door, HostPolicy, Location, Process
from discover.settings import DiscoverSettings
from sidecar.options import WrongSettings

LOOPBACK = "127.0.0.1"
LOOPBACK6 = "::1"
HAPROXY_USER = "haproxy"  # what Debian's package creates
MACHINE_ID = Path("/etc/machine-id")  # machine-id(5)
MAXCONN = 10_000
ADMIN_SOCKET = "admin.sock"  # of the worker, in RUN_DIR
# HAProxy takes two descriptors a connection. Twice as many again are left for listeners and for the
# checks of servers, or it would refuse to start once there are many.
DESCRIPTORS_PER_CONNECTION = 6


def paths_of(settings: DiscoverSettings) -> Paths:
    """Return where HAProxy's file and its master are."""
    run = settings.run_dir
    return Paths(settings.state_dir / "haproxy.cfg", run / "master.sock", run / "haproxy.pid")


def make_folders(settings: DiscoverSettings) -> None:
    """Make the folders that are written to. Raises WrongSettings."""
    for name, folder in (("STATE_DIR", settings.state_dir), ("RUN_DIR", settings.run_dir)):
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise WrongSettings(
                [f"{name}: {folder} cannot be created: {error.strerror}; name another folder"]
            ) from error

        if not os.access(folder, os.W_OK):
            raise WrongSettings(
                [f"{name}: {folder} cannot be written to; name another folder, or run as root"]
            )


def policy_of(settings: DiscoverSettings, *, tapped: bool = False) -> HostPolicy:
    """Return what holds on this host now; Docker's bridge can come and go."""
    user, group = _user()
    process = Process(
        stats=Bind(*settings.stats) if settings.stats else None,
        stats_ipv6=_stats6(settings.stats),
        admin_socket=str(settings.run_dir / ADMIN_SOCKET),
        maxconn=_maxconn(),
        user=user,
        group=group,
        buffer_bytes=_buffer_bytes(settings.head_kb),
        old_workers_hours=settings.old_workers_hours,
        access_log=settings.access_log,
        tapped=tapped,
        access_log_to=Bind(*settings.access_log_to) if settings.access_log_to else None,
    )

    hosts = settings.hosts or _default_hosts()
    if settings.http_bind:
        process = replace(process, door=_door(settings, hosts))
    return HostPolicy(
        process,
        hosts,
        unusable={},
        location=_location(settings),
        reserved=settings.reserved_ports,
    )


def _buffer_bytes(head_kb: int) -> int:
    """Return the size of a buffer for such a head, and what HAProxy adds to it or notes of it.

    For 14 KB that is HAProxy's own default.
    """
    return (head_kb + head_kb // 14 + 1) * 1024


def _door(settings: DiscoverSettings, hosts: tuple[str, ...]) -> Door:
    host, port = settings.http_bind or (None, 0)
    addresses = (host,) if host else hosts
    binds = tuple(Bind(address, port) for address in addresses)
    return Door(binds, settings.domain, str(pages_of(settings)))


def pages_of(settings: DiscoverSettings) -> Path:
    """Return the socket at which HAProxy asks for pages."""
    return settings.run_dir / "pages.sock"


def _default_hosts() -> tuple[str, ...]:
    """Return loopback, for programs on this host, and the bridges' gateways, for containers.

    Both of IPv6 too, where they are: `localhost` is ::1 first for many programs.
    """
    loopback6 = LOOPBACK6 if has_address(LOOPBACK6) else None
    gateways = [bridge_gateway(name) for name in (BRIDGE, *PODMAN_BRIDGES)]
    found = (LOOPBACK, loopback6, *gateways, bridge_gateway6() if loopback6 else None)
    return tuple(filter(None, found))


def _stats6(stats: tuple[str, int] | None) -> Bind | None:
    """Return where the stats page is at ::1, if it is at 127.0.0.1."""
    if stats is None or stats[0] != LOOPBACK or not has_address(LOOPBACK6):
        return None

    return Bind(LOOPBACK6, stats[1])


def _location(settings: DiscoverSettings) -> Location:
    """Return the ids that docker-register may give this host, and its zone.

    It may take the engine's name too, which is not known here.
    """
    return Location(frozenset(host_ids(settings)), settings.zone)


def host_ids(settings: DiscoverSettings) -> tuple[str, ...]:
    """Return the ids that docker-register may give this host, the likeliest first."""
    ids = (settings.host_id,) if settings.host_id else (_machine_id(), platform.node())
    return tuple(filter(None, ids))


@functools.cache
def _machine_id() -> str:
    try:
        return MACHINE_ID.read_text().strip()
    except OSError:
        return ""


def _user() -> tuple[str | None, str | None]:
    """Return the user and group that HAProxy's workers become.

    None: they stay what they are, as we are not root or there is no such user.
    """
    try:
        group = grp.getgrgid(pwd.getpwnam(HAPROXY_USER).pw_gid).gr_name
    except KeyError:
        return None, None
    return (HAPROXY_USER, group) if os.geteuid() == 0 else (None, None)


def _maxconn() -> int:
    """Return how many connections HAProxy may hold, with the descriptors that we may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MAXCONN
    return max(100, min(MAXCONN, hard // DESCRIPTORS_PER_CONNECTION))
