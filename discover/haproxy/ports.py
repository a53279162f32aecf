"""Ask this host which addresses can be listened on.

Sockets only, and none stays open longer than its user says.
"""

import contextlib
import errno
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from discover.model.proxy_config import Bind

BRIDGE = "docker0"
PODMAN_BRIDGES = ("podman0", "cni-podman0")  # by netavark, and by the older CNI plugins
ADDRESSES6 = Path("/proc/net/if_inet6")
GLOBAL = 0  # the scope of an address there: linux/ipv6.h, IPV6_ADDR_ANY
_SIOCGIFADDR = 0x8915  # netdevice(7): the IPv4 address of an interface
_WHY = {
    errno.EADDRINUSE: "another program on this host holds the port",
    errno.EADDRNOTAVAIL: "this host has no such address",
    errno.EACCES: "a port below 1024 needs root or CAP_NET_BIND_SERVICE",
}


def bridge_gateway(interface: str = BRIDGE) -> str | None:
    """Return the address by which containers reach this host, or None without a Docker bridge."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("256s", interface.encode())
        try:
            answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, request)
        except OSError:  # no such interface, or it has no address
            return None

    return socket.inet_ntoa(answer[20:24])


def has_address(address: str) -> bool:
    """Return whether this host has an address that can be listened on now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as any_socket:
            any_socket.bind((address, 0))
    except OSError:  # no such address, or no IPv6 at all
        return False

    return True


def bridge_gateway6(interface: str = BRIDGE, addresses: Path = ADDRESSES6) -> str | None:
    """Return the bridge's first global IPv6 address that can be listened on, or None."""
    try:
        rows = [line.split() for line in addresses.read_text().splitlines()]
    except OSError:  # no IPv6
        return None

    # proc_net_if_inet6: address, index, length of the prefix, scope, flags, interface
    for digits, _index, _length, scope, _flags, name in rows:
        if name == interface and int(scope, 16) == GLOBAL:
            address = str(ipaddress.IPv6Address(int(digits, 16)))
            # An address without a carrier is tentative, and cannot be bound.
            return address if has_address(address) else None

    return None


@contextlib.contextmanager
def trial(binds: Iterable[Bind]) -> Iterator[Mapping[Bind, str]]:
    """Give the addresses that cannot be bound, and why; the others stay reserved inside `with`.

    HAProxy itself must never find a conflict: a new worker that cannot bind pauses every listener
    of the old one for two seconds (HAProxy management manual, section 4; measured in
    docs/research/haproxy.md section 5.2).
    """
    with contextlib.ExitStack() as held:
        unusable: dict[Bind, str] = {}

        for bind in sorted(binds):
            try:
                _bound(bind, reserve=False).close()
            except OSError as error:
                unusable[bind] = _WHY.get(error.errno or 0, str(error.strerror))
            else:
                # The reservation is stricter: it may fail on what a former owner left in TIME_WAIT.
                with contextlib.suppress(OSError):
                    held.enter_context(_bound(bind, reserve=True))

        yield unusable


def _bound(bind: Bind, *, reserve: bool) -> socket.socket:
    """Return a socket that is bound but does not listen.

    SO_REUSEPORT lets HAProxy's own listeners be, as it sets the same; without SO_REUSEADDR the
    reservation also keeps others out, while HAProxy can still bind beside it.
    """
    host = "0.0.0.0" if bind.host == "*" else bind.host  # noqa: S104  asked for by BIND=*
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)

    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if not reserve:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, bind.port))
    except OSError:
        bound.close()
        raise

    return bound
