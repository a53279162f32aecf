"""How to reach etcd: addresses and credentials, as plain checked data. No I/O, no etcd3."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import Rejected
from catalog.host_port import host_port

PORT = 2379  # etcd's registered client port (IANA)
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of etcd; `host` is a name, or an IP address without brackets."""

    host: str
    port: int = PORT
    tls: bool = False

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Access:
    """All members, and the credentials for them."""

    members: tuple[Member, ...] = (Member("127.0.0.1"),)
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise Rejected(
                "ETCD_CERT and ETCD_KEY: only one is given, a client certificate needs both"
            )
        if (self.user is None) != (self.password is None):
            raise Rejected("ETCD_USER and ETCD_PASSWORD: only one is given, a login needs both")
        if len({member.tls for member in self.members}) > 1:
            raise Rejected("ETCD_HOST: https:// and http:// addresses are mixed, use only one kind")

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted: with a CA, a certificate, or an https:// address."""
        # With a certificate but no CA, etcd3 falls back to plain text (docs/research/etcd.md
        # section 2, row 8). Here any sign of TLS is taken as a wish for it.
        if self.ca_cert is not None or self.cert is not None:
            return True

        return any(member.tls for member in self.members)


def parse_members(text: str) -> tuple[Member, ...]:
    """Return the members in `host[:port],…`, in order. Raises Rejected."""
    parts = (part.strip() for part in text.split(","))
    members = tuple(_member(part) for part in parts if part)
    if not members:
        raise Rejected(f"{text!r} has no host; write it like 10.0.0.5:2379")

    return members


def _member(text: str) -> Member:
    scheme, separator, rest = text.rpartition("://")
    match = _HOST_PORT.fullmatch(rest.rstrip("/"))
    if (separator and scheme not in ("http", "https")) or not match:
        raise Rejected(
            f"{text!r} is not host[:port]; an IPv6 address needs brackets: [fd00::5]:2379"
        )

    host = match["host"].strip("[]")
    if match["host"].startswith("["):
        _check_ipv6(host)

    port = int(match["port"] or PORT)
    if not 1 <= port <= 65535:
        raise Rejected(f"{text!r}: {port} is not a port from 1 to 65535")

    return Member(host, port, tls=scheme == "https")


def _check_ipv6(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError as error:
        raise Rejected(f"[{text}] is not an IPv6 address") from error
