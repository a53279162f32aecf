"""What helps against each code, ready to paste where that can be; `docs/reasons.md` says more.

No I/O.
"""

from collections.abc import Mapping

# In braces: what is known of the case; where it is not, the braces become angle brackets.
REMEDIES: Mapping[str, str] = {
    "NOT_RUNNING": "on {host}: docker start {container}; docker logs --tail 50 {container}",
    "START_FAILED": "on {host}: docker start {container}   # says what Docker misses",
    "IGNORED": "start it without SERVICE_IGNORE",
    "ONE_OFF": "start it with --label SERVICE_IGNORE=false",
    "NOT_LABELLED": "start it with --label SERVICE_NAME={service}",
    "NO_PUBLISHED_PORT": "start it with -P, or with -p and its port",
    "NO_HOST_PORT": "start it with --label SERVICE_NETWORK=<network>",
    "LOOPBACK_ONLY": "start it with -P, or -p without 127.0.0.1 before the port",
    "BRIDGE_ONLY": "start it with the -p of the message",
    "WRONG_FAMILY": "start it with -P, or with -p without an address",
    "HOST_PORT_UNKNOWN": "start it with --label SERVICE_<port>_NAME={service}",
    "NO_NETWORK": (
        "on {host}: docker inspect -f '{{{{json .NetworkSettings.Networks}}}}' {container}"
    ),
    "IN_RANGE": "start it with --label SERVICE_<port>_NAME={service}",
    "AMBIGUOUS_PORT": "start it with the label of the message",
    "NOT_CHOSEN": "if that port is a service too: --label SERVICE_<port>_NAME=<name>",
    "POD_PORT": "start the container that listens with the label of the message",
    "BAD_LABEL": "start it with a value that the message allows",
    "NOT_APPLIED": "start it with a value that the message allows",
    "AMBIGUOUS_LABEL": "start it with the label of the message",
    "PARTLY_APPLIED": "start it with a shorter label, or without that part",
    "PORT_NOT_ASKED": "start it with --label SERVICE_PORT=<port>, if callers need that one",
    "BAD_NAME": "start it with --label SERVICE_NAME=<name>: letters, digits and hyphens",
    "UNREADABLE": "on {host}: docker inspect {container}   # report it if that works",
    "STARTING": "on {host}: docker inspect -f '{{{{json .State.Health}}}}' {container}",
    "NOT_LISTENING": (
        "its program has to accept connections on that port, on all addresses: "
        "docker logs --tail 50 {container}"
    ),
    "ADDRESS_TAKEN": "start one of the two with another port, or with -P",
    "CRASH_LOOP": "on {host}: docker logs --tail 50 {container}",
    "HOST_DRAINED": "on {host}: docker exec docker-register undrain",
    "BAD_RECORD": "etcdctl get <key of the message>   # whoever wrote it has to mend it",
    "BAD_OVERRIDE": "etcdctl del <key of the message>   # ask whoever wrote it first",
    "OVERRIDE_UNUSED": "nothing while it is expected back; else: tandem undrain {service}",
    "OUTSIDE_REFUSED": "write in the services file of {host} what the message allows",
    "NO_SERVICE_PORT": "wait; else start it with --label SERVICE_PORT=<port>",
    "OWN_ADDRESS": "start it with another port, or the other service with SERVICE_PORT=auto",
    "PORT_RESERVED": "start it with --label SERVICE_PORT=auto, or another port",
    "NAME_TAKEN": "start it with the label of the message",
    "PORT_CLAIMED": "start it with --label SERVICE_PORT=auto, or another port",
    "PORT_IN_USE": "on {host}: ss -ltnp   # another program has the port",
    "NOT_HELD": "give {host} the right to write below <prefix>/v1/holds/",
    "PORT_YIELDED": "nothing, or publish that container with -P",
    "HOST_CLAIMED": "start it with another host name: --label SERVICE_HOSTS=<name>",
    "HOSTS_NEED_HTTP": "start it with --label SERVICE_MODE=http",
    "MODE_DIFFERS": "start all its instances, stubs too, with the same SERVICE_MODE",
    "NO_EFFECT": "start it with --label SERVICE_MODE=http, or without that label",
    "NOT_INTERCEPTED": "mend what the message names; else, if it is yours: tandem intercept ls",
    "NO_DOOR": "copy the block `door` of the shipped template into the one of {host}",
    "TEMPLATE_REFUSED": "on {host}: docker exec docker-discover docker-discover --check",
    "CONFIGURATION_REFUSED": "report it, with the message",
    "QUARANTINED": "mend the label, snippet or template line that the message names",
}
# Codes against which nothing has to be done, or can be.
NEED_NONE = (
    "POD_INFRA",
    "UDP_PORT",
    "SCTP_PORT",
    "LOOKS_SECRET",
    "NOT_READ",
    "ODD_FIELD",
    "ADDRESS_REUSED",
)


class _Words(dict[str, str]):
    """What is known of a case; of all else its name in angle brackets."""

    def __missing__(self, word: str) -> str:
        return f"<{word}>"


def remedy(code: str, **words: str) -> str:
    """Return what helps against a code, or nothing; `words` are the container, service, host."""
    return REMEDIES.get(code, "").format_map(_Words({k: v for k, v in words.items() if v}))
