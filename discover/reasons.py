"""Why something of the catalog is not served as asked: codes, a sentence for each. No I/O."""

from collections.abc import Mapping
from typing import Literal, get_args

from catalog.values.secrets import masked
from sidecar.status.problems import Problem

Code = Literal[
    "BAD_RECORD",
    "BAD_OVERRIDE",
    "OVERRIDE_UNUSED",
    "OUTSIDE_REFUSED",
    "NO_SERVICE_PORT",
    "ADDRESS_REUSED",
    "OWN_ADDRESS",
    "NAME_TAKEN",
    "PORT_CLAIMED",
    "PORT_RESERVED",
    "PORT_IN_USE",
    "NOT_HELD",
    "PORT_YIELDED",
    "HOST_CLAIMED",
    "HOSTS_NEED_HTTP",
    "MODE_DIFFERS",
    "NO_EFFECT",
    "NOT_INTERCEPTED",
    "NO_DOOR",
    "TEMPLATE_REFUSED",
    "CONFIGURATION_REFUSED",
    "QUARANTINED",
]

# docs/reasons.md has the same sentences, with what to do; a test compares them.
REASONS: Mapping[Code, str] = {
    "BAD_RECORD": "The value of an instance's key in etcd is not a valid record.",
    "BAD_OVERRIDE": (
        "An override in etcd is invalid, or does what none may do under its key. It changes "
        "nothing."
    ),
    "OVERRIDE_UNUSED": "An override names an instance or a host that its service has not.",
    "OUTSIDE_REFUSED": (
        "An entry of the services file, or all of it, is invalid; its last valid form stays in use."
    ),
    "NO_SERVICE_PORT": (
        "The service has no port yet: one is being assigned, or the message gives the obstacle."
    ),
    "ADDRESS_REUSED": (
        "A newer record announces the same address and port, or the same container under another "
        "host."
    ),
    "OWN_ADDRESS": (
        "HAProxy itself listens at the address of this instance, so its program cannot own that "
        "port."
    ),
    "PORT_RESERVED": (
        "The service port is that of the stats page, of HTTP_BIND, or one of RESERVED_PORTS."
    ),
    "NAME_TAKEN": (
        "The instance has its service's name by default, and the name belongs to another compose "
        "project or image."
    ),
    "PORT_CLAIMED": (
        "The service port belongs to another service, also while that has no instance for a while."
    ),
    "PORT_IN_USE": (
        "HAProxy cannot listen on the service port on this host; the message gives the reason. "
        "Tried again every 30 s."
    ),
    "NOT_HELD": (
        "docker-discover cannot write to etcd which service has a port, a host name or a default "
        "name. Tried again every 30 s."
    ),
    "HOST_CLAIMED": (
        "The host name and path at HTTP_BIND belong to another service, also while that has no "
        "instance for a while."
    ),
    "PORT_YIELDED": (
        "A container of this host has the service port, or wants it at its next start: calls on "
        "this host go straight to it."
    ),
    "HOSTS_NEED_HTTP": "The record has host names or paths, but its service is in tcp mode.",
    "MODE_DIFFERS": (
        "The record asks for another mode than its service has; the oldest real instance decides. "
        "Each change of mode is a reload and cuts open connections."
    ),
    "NO_EFFECT": (
        "A setting of the instance has no effect: it needs http mode, or an http check. The "
        "instance is served without it."
    ),
    "NOT_INTERCEPTED": (
        "Somebody wants calls of the service on a machine of their own, and this host does not "
        "lead them there."
    ),
    "NO_DOOR": "HTTP_BIND is set, but the template in use has no port for it.",
    "TEMPLATE_REFUSED": (
        "An edited template is invalid, or HAProxy refuses its result; the last good template "
        "stays in use."
    ),
    "CONFIGURATION_REFUSED": (
        "HAProxy refuses the result of the good template for the present records; the last good "
        "configuration stays in use."
    ),
    "QUARANTINED": (
        "HAProxy refuses this service's part, or its snippet is invalid. The service keeps its "
        "last working form, or is left out if it never ran; all others go on. Tried again when "
        "its record, snippet or template changes, or docker-discover starts."
    ),
}
assert set(REASONS) == set(get_args(Code))  # noqa: S101  both lists are in this file


def because(code: Code, text: str) -> Problem:
    """Return why something is left out or served otherwise; `text` is the sentence for people."""
    return Problem(code, masked(text))
