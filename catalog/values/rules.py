"""The patterns and bounds of values, and the one spelling of an address. No I/O."""

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

from catalog.errors import Rejected

CONTAINER_ID = re.compile(r"[0-9a-f]{64}")

# RFC 1035 section 2.3.4: at most 63 octets in a label, 255 in a name, which as text leaves 253.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
SERVICE_NAME = re.compile(_LABEL)
PLAIN_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
# or all names below one, by a leading *.
HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?{_LABEL}(\.{_LABEL})*")

# RFC 3986 section 3.3 without what HAProxy's configuration would read as its own: quotes, $, #, \
# and space.
CHECK_PATH = re.compile(r"/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,254}")
# The same without a query, as a prefix of paths: what can be a key in a map of HAProxy's.
PATH_PREFIX = re.compile(r"/[A-Za-z0-9._~@%/-]{0,254}")

HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
HEADER_IS = re.compile(r"[A-Za-z0-9-]{1,64}(=[A-Za-z0-9._-]{1,64})?")

# HAProxy configuration manual, section 4.2 "http-check expect": single codes and ranges
STATUS_CODES = re.compile(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?){0,9}")
STUB_POLICY = re.compile(r"supersede|fallback|pin|share=(100|[1-9]?[0-9])%")

# Printable, one line, and no half of a surrogate pair: JSON can carry one ("\\ud800"), no file can.
TEXT = re.compile(r"[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]{0,255}")

# By what a service got its default name (catalog/records/origin.py), in one line of a message.
ORIGIN_CHARACTERS = 128
ORIGIN = re.compile(rf"[\x20-\x7e]{{1,{ORIGIN_CHARACTERS}}}")

PORT_MAX = 65535
WEIGHT_MAX = 256  # HAProxy configuration manual, section 5.2 "weight"
CONNECTIONS_MAX = 1_000_000
DURATION_MS_MAX = 24 * 3600 * 1000
ITEMS_MAX = 64


def address_of(value: object) -> str:
    """Return the address of one machine in its one spelling. Raises Rejected."""
    try:
        # Only texts: ip_address() takes whole numbers too.
        address = unmapped(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise Rejected(f"address: {value!r:.80} is not an IP address") from error

    if address.is_unspecified or address.is_multicast or "%" in str(address):
        raise Rejected(f"address: {value!r:.80} is not the address of one machine")
    return str(address)


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an IPv4 address that is written as an IPv6 one (RFC 4291, 2.5.5.2) as what it is."""
    return getattr(address, "ipv4_mapped", None) or address
