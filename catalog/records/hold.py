"""The record of a hold, which stands under holds/<kind>/<thing>. No I/O.

A hold gives one holder a service port, a host name with a path, or a service's default name. All
hosts go by it, also while its holder is away.
"""

import json
import re
from dataclasses import dataclass

from catalog.errors import Rejected
from catalog.records.json_object import object_of
from catalog.values.rules import PLAIN_HOST_NAME, TEXT

VERSION = 1
HOLD_BYTES_MAX = 2048  # two times and a name, and what a later version may add
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds a thing: a service or, of a service's name, the origin of its records.

    The times are UTC, for people alone. `until` is set while the holder has no instance: then the
    key is under a lease that ends about at that time. `domain` is set if the thing is the service's
    own name in this DOMAIN: hosts with another one cannot see who uses it.
    """

    holder: str
    since: str
    until: str | None = None
    domain: str = ""


def encode(hold: Hold) -> bytes:
    """Return the canonical JSON of a hold."""
    document = {"v": VERSION, "holder": hold.holder, "since": hold.since}
    if hold.until is not None:
        document["until"] = hold.until
    if hold.domain:
        document["domain"] = hold.domain

    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def decode(value: bytes) -> Hold:
    """Return the hold in a value, ignoring unknown fields. Raises Rejected."""
    document = object_of(value, "hold", HOLD_BYTES_MAX)
    if document.get("v") != VERSION:
        raise Rejected(f'hold: {value!r:.60} is not like {{"holder":"orders",…,"v":{VERSION}}}')

    holder = document.get("holder")
    if not isinstance(holder, str) or not holder or not TEXT.fullmatch(holder):
        raise Rejected(f"hold: holder {holder!r:.80} is not the name of a service or an origin")

    until = document.get("until")
    since, until = _moment(document.get("since")), None if until is None else _moment(until)

    domain = document.get("domain", "")
    if not isinstance(domain, str) or not (domain == "" or PLAIN_HOST_NAME.fullmatch(domain)):
        raise Rejected(f"hold: domain {domain!r:.80} is not a domain")
    return Hold(holder, since, until, domain)


def _moment(value: object) -> str:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise Rejected(f"hold: {value!r:.40} is not a time such as 2026-11-26T18:00:00Z")
    return value
