"""The record of a port claim, which stands under ports/<service>. No I/O.

A claim gives a service its port for good.
"""

import json

from catalog.errors import Rejected
from catalog.records.json_object import object_of
from catalog.values.rules import PORT_MAX

VERSION = 1
CLAIM_BYTES_MAX = 1024  # a port, and what a later version may add


def encode(port: int) -> bytes:
    """Return the canonical JSON of a claim: the same port gives the same bytes."""
    return json.dumps({"port": port, "v": VERSION}, separators=(",", ":")).encode()


def decode(value: bytes) -> int:
    """Return the port in a claim, ignoring unknown fields. Raises Rejected."""
    document = object_of(value, "claim", CLAIM_BYTES_MAX)
    if document.get("v") != VERSION:
        raise Rejected(f'claim: {value!r:.60} is not like {{"port":10007,"v":{VERSION}}}')

    port = document.get("port")
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= PORT_MAX:
        raise Rejected(f"claim: {port!r:.40} is not a port from 1 to {PORT_MAX}")

    return port
