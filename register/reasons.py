"""Why something is not in the catalog: stable codes, each with its meaning. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from catalog.values.secrets import masked
from sidecar.status.problems import Problem

Code = Literal[
    "NOT_RUNNING",
    "START_FAILED",
    "IGNORED",
    "ONE_OFF",
    "NOT_LABELLED",
    "NO_PUBLISHED_PORT",
    "NO_HOST_PORT",
    "UDP_PORT",
    "SCTP_PORT",
    "LOOPBACK_ONLY",
    "BRIDGE_ONLY",
    "WRONG_FAMILY",
    "HOST_PORT_UNKNOWN",
    "NO_NETWORK",
    "IN_RANGE",
    "AMBIGUOUS_PORT",
    "NOT_CHOSEN",
    "POD_INFRA",
    "POD_PORT",
    "BAD_LABEL",
    "NOT_APPLIED",
    "AMBIGUOUS_LABEL",
    "PARTLY_APPLIED",
    "LOOKS_SECRET",
    "NOT_READ",
    "PORT_NOT_ASKED",
    "BAD_NAME",
    "UNREADABLE",
    "ODD_FIELD",
    "STARTING",
    "NOT_LISTENING",
    "ADDRESS_TAKEN",
    "CRASH_LOOP",
    "HOST_DRAINED",
]

# Whether the log has it: always; only if the container's labels ask for a service; or never, so
# that only /explain shows it.
Logged = Literal["always", "labelled", "never"]


@dataclass(frozen=True, slots=True)
class Reason:
    """What a code means, in one sentence for people, and whether the log has it."""

    meaning: str
    logged: Logged


REASONS: Mapping[Code, Reason] = {
    "NOT_RUNNING": Reason("The container is not running, or is between two restarts.", "never"),
    "START_FAILED": Reason("Docker could not start the container.", "always"),
    "IGNORED": Reason("SERVICE_IGNORE or SERVICE_<port>_IGNORE is true.", "never"),
    "ONE_OFF": Reason(
        "The container was started for itself alone, by docker compose run or by a test.",
        "labelled",
    ),
    "NOT_LABELLED": Reason(
        "REGISTER=labelled, and no SERVICE_ label or variable asks for a service.", "never"
    ),
    "NO_PUBLISHED_PORT": Reason(
        "The port is not published, so no other host can reach it.", "labelled"
    ),
    "NO_HOST_PORT": Reason(
        "The port is published without a host port, as on a routed network, or with one that "
        "cannot be read.",
        "labelled",
    ),
    "UDP_PORT": Reason("The port is UDP; only TCP is balanced.", "labelled"),
    "SCTP_PORT": Reason("The port is SCTP; only TCP is balanced.", "labelled"),
    "LOOPBACK_ONLY": Reason(
        "The port is published only on loopback or at a link-local address, and HOST_IP is not "
        "loopback.",
        "labelled",
    ),
    "BRIDGE_ONLY": Reason(
        "The port is published only at the address that this host has on a Docker network, where "
        "other hosts cannot reach it.",
        "always",
    ),
    "WRONG_FAMILY": Reason(
        "The port is published for IPv4 only and HOST_IP is IPv6, or the other way round.", "always"
    ),
    "HOST_PORT_UNKNOWN": Reason(
        "The container uses the host's network or SERVICE_NETWORK, and no EXPOSE or label names "
        "its port.",
        "labelled",
    ),
    "NO_NETWORK": Reason("SERVICE_NETWORK names a network that the container is not on.", "always"),
    "IN_RANGE": Reason(
        "The port is one of ten or more in a row, as passive FTP and RTP need them; no service.",
        "labelled",
    ),
    "AMBIGUOUS_PORT": Reason(
        "The container has one SERVICE_NAME and several ports, and no per-port label chooses one.",
        "always",
    ),
    "NOT_CHOSEN": Reason(
        "A per-port label gave SERVICE_NAME to another port of the container.", "never"
    ),
    "POD_INFRA": Reason("The container only holds the network of its pod.", "never"),
    "POD_PORT": Reason(
        "The port is that of a pod of several containers, and no label of this one names it.",
        "labelled",
    ),
    "BAD_LABEL": Reason("A label or variable has an invalid value.", "always"),
    "NOT_APPLIED": Reason(
        "A label or variable has an invalid value and counts as not given. The port is published.",
        "always",
    ),
    "AMBIGUOUS_LABEL": Reason(
        "A label without a port can be true of one port only, and the container offers several: it "
        "is not applied. The ports are published without it.",
        "always",
    ),
    "PARTLY_APPLIED": Reason(
        "Part of a label is left out: it is no plain host name or path, or more than a record "
        "holds. The rest applies.",
        "always",
    ),
    "LOOKS_SECRET": Reason(
        "A free label is not kept as an attribute, because its name or value looks secret.",
        "never",
    ),
    "NOT_READ": Reason(
        "A label or variable of another program asks for what Tandem does not do.", "always"
    ),
    "PORT_NOT_ASKED": Reason(
        "The container's own port is reserved for the host (RESERVED_PORTS), and no label asks for "
        "it: callers get another one.",
        "always",
    ),
    "BAD_NAME": Reason("Neither a label nor the image gives a valid service name.", "always"),
    "UNREADABLE": Reason(
        "Docker's description of the container cannot be understood, or Docker fails to give one.",
        "always",
    ),
    "ODD_FIELD": Reason(
        "A part of Docker's description of the container cannot be understood, and counts as not "
        "given.",
        "always",
    ),
    "STARTING": Reason("The container's own HEALTHCHECK has not succeeded yet.", "never"),
    "NOT_LISTENING": Reason("Nothing accepts connections on the port yet.", "never"),
    "ADDRESS_TAKEN": Reason(
        "Another container of this host is announced at the same address and port.", "always"
    ),
    "CRASH_LOOP": Reason(
        "The container crashed within ten seconds of its start; it is published once it stays up "
        "that long.",
        "always",
    ),
    "HOST_DRAINED": Reason("--drain took the whole host out of service.", "never"),
}
assert set(REASONS) == set(get_args(Code))  # noqa: S101  both lists are in this file


def because(code: Code, text: str, *, labelled: bool = True) -> Problem:
    """Return the refusal; `labelled`: the container's labels ask for a service."""
    logged = REASONS[code].logged
    is_quiet = logged == "never" or (logged == "labelled" and not labelled)
    return Problem(code, masked(text), quiet=is_quiet)
