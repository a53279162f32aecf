"""Why something of the catalog is not served as asked: codes, a sentence for each. No I/O."""

from collections.abc import Mapping
from typing import Literal, get_args

from sidecar.status.problems import Problem

Code = Literal[
    "BAD_RECORD",
    "OUTSIDE_REFUSED",
    "NO_SERVICE_PORT",
    "ADDRESS_REUSED",
    "OWN_ADDRESS",
    "PORT_CLAIMED",
    "PORT_RESERVED",
    "PORT_IN_USE",
    "HOST_CLAIMED",
    "HOSTS_NEED_HTTP",
    "MODE_DIFFERS",
    "NO_EFFECT",
    "NO_DOOR",
    "TEMPLATE_REFUSED",
    "CONFIGURATION_REFUSED",
    "QUARANTINED",
]

# The same sentences are in docs/reasons.md, with what helps; a test compares them.
REASONS: Mapping[Code, str] = {
    "BAD_RECORD": "What stands in etcd under an instance's key is no record.",
    "OUTSIDE_REFUSED": (
        "An entry of the file that SERVICES names, or all of it, cannot be used; what was good "
        "of it before stays."
    ),
    "NO_SERVICE_PORT": (
        "The instance leaves its service port to be claimed; it is being claimed, or the "
        "sentence says what is in the way."
    ),
    "ADDRESS_REUSED": (
        "A newer record announces the same address and port, or the same container under "
        "another host."
    ),
    "OWN_ADDRESS": (
        "The instance is announced where HAProxy itself listens: its program cannot have got "
        "that port."
    ),
    "PORT_CLAIMED": "Another service claimed or named this service port first.",
    "PORT_RESERVED": "The service port is that of the stats page, or of HTTP_BIND.",
    "PORT_IN_USE": (
        "The service port cannot be listened on, on this host; the sentence says why. Tried "
        "again every 30 s."
    ),
    "HOST_CLAIMED": "An older record of another service has this host name and path at HTTP_BIND.",
    "HOSTS_NEED_HTTP": "The record has host names or paths, but its service is in tcp mode.",
    "MODE_DIFFERS": (
        "The record asks for another mode than its service has, that of the oldest real "
        "instance, and is served in that one. Each change between them is a reload, and cuts "
        "who is connected."
    ),
    "NO_EFFECT": (
        "The instance asks for what only http has (a cookie, a canary, a header to hash, h2c, "
        "what may be sent again), and is in tcp mode, or says what an http check is to expect "
        "and has none; it is served without."
    ),
    "NO_DOOR": "HTTP_BIND is set, but the template in use lays out no port for it.",
    "TEMPLATE_REFUSED": (
        "An edited template is none, or HAProxy refuses what it lays out; the last good one "
        "goes on."
    ),
    "CONFIGURATION_REFUSED": (
        "HAProxy refuses what the good template laid out for what is in etcd now; the last good "
        "configuration goes on."
    ),
    "QUARANTINED": (
        "HAProxy refuses what this service alone asks for, or its snippet cannot be used: it "
        "stays as it was, or is left out if it never ran; all others go on. Tried again when "
        "its own record, its snippet or the template changes, or docker-discover starts."
    ),
}
assert set(REASONS) == set(get_args(Code))  # noqa: S101  both lists are in this file


def because(code: Code, text: str) -> Problem:
    """Return why something is left out or served otherwise; `text` is the sentence for people."""
    return Problem(code, text)
