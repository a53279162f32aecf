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
    """One etcd member; `host` is an IP literal without brackets or a name."""

    host: str
    port: int = PORT
    tls: bool = False

    def __str__(self) -> str:
        return host_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Access:
    """Every member and what to show them. TLS is on for all when a CA is named or any address says https://."""

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
            raise Rejected(
                "ETCD_HOST: some addresses say https:// and some http://, one kind is needed"
            )

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        # etcd3 falls back to plain text when a certificate comes without a CA (research/etcd.md section 2, row 8):
        # any sign of TLS is taken as a wish for it.
        return self.ca_cert is not None or self.cert is not None or any(e.tls for e in self.members)


def parse_members(text: str) -> tuple[Member, ...]:
    """Return the members in `host[:port],…`, in order. Raises Rejected."""
    members = tuple(_member(part.strip()) for part in text.split(",") if part.strip())
    if not members:
        raise Rejected(f"{text!r} names no host; right would be 10.0.0.5:2379")
    return members


def _member(text: str) -> Member:
    scheme, separator, rest = text.rpartition("://")
    match = _HOST_PORT.fullmatch(rest.rstrip("/"))
    if (separator and scheme not in ("http", "https")) or not match:
        raise Rejected(
            f"{text!r} is not host[:port]; an IPv6 address stands in brackets: [fd00::5]:2379"
        )
    host, port = match["host"].strip("[]"), int(match["port"] or PORT)
    if match["host"].startswith("["):
        _ipv6(host)
    if not 1 <= port <= 65535:
        raise Rejected(f"{text!r}: {port} is not a port from 1 to 65535")
    return Member(host, port, scheme == "https")


def _ipv6(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError as error:
        raise Rejected(f"[{text}] is not an IPv6 address") from error
