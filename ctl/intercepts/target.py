"""Where calls shall go: its address as hosts dial it, and whether a program accepts there."""

import contextlib
import socket
from pathlib import Path
from platform import node

from catalog.access import Access
from catalog.errors import Rejected
from catalog.host_port import host_port, split_host_port
from catalog.values.rules import PORT_MAX, address_of

CONNECT_S = 2.0
MACHINE_ID = Path("/etc/machine-id")  # machine-id(5)


def target_of(text: str, access: Access) -> tuple[str, bool]:
    """Return `address:port`, and whether the address is this machine's, which was not named.

    Raises Rejected. Without a host in it, it is this end of a connection to etcd: most likely
    hosts can dial this machine there.
    """
    host, port = split_host_port(text) if ":" in text else ("", text)
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX):
        raise Rejected(f"--to: {text!r} has no port, as 192.0.2.77:9000 and :9000 have")
    if not host:
        return host_port(_own_address(access), int(port)), True

    try:
        *_, at = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise Rejected(f"--to: {host} has no address: {error.strerror}") from error
    return host_port(address_of(str(at[0])), int(port)), False


def _own_address(access: Access) -> str:
    member = access.members[0]
    try:
        found = socket.getaddrinfo(member.host, member.port, type=socket.SOCK_DGRAM)
        family, kind, *_, at = found[0]
        with socket.socket(family, kind) as towards:
            towards.connect(at)  # of a datagram socket: nothing is sent
            return address_of(towards.getsockname()[0])
    except OSError as error:
        raise Rejected(
            f"--to: the address of this machine is not known, as {member} cannot be reached: "
            f"{error.strerror}; name one, such as 192.0.2.77:9000"
        ) from error


def is_loopback(target: str) -> bool:
    """Whether an address is another machine on each host."""
    host, _port = split_host_port(target)
    return host.startswith("127.") or host == "::1"


def own_ids() -> frozenset[str]:
    """Return the ids that a host may have which is this machine."""
    ids = {node()}
    with contextlib.suppress(OSError):
        ids.add(MACHINE_ID.read_text().strip())
    return frozenset(ids - {""})


def refusal(target: str, within_s: float = CONNECT_S) -> str:
    """Return why no connection is accepted there; empty if one is."""
    host, port = split_host_port(target)
    try:
        socket.create_connection((host, int(port)), within_s).close()
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def hint(target: str) -> str:
    """Return what helps if nothing accepts there."""
    _host, port = split_host_port(target)
    if not is_loopback(target) and not refusal(f"127.0.0.1:{port}", 0.5):
        return "it listens at 127.0.0.1 alone, where no host can dial it: let it listen at 0.0.0.0"
    return "start it first, or let tandem start it: … -- COMMAND"
