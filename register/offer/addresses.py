"""Where a port of a container can be dialled from other hosts, by network mode. No I/O."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.errors import Rejected
from register.docker.container import Binding, Container, Port
from register.offer.labels import Labels, PortLabels
from register.reasons import Code, because
from sidecar.status.problems import Problem

EVERY = ("", "0.0.0.0", "::")  # noqa: S104  what Docker writes for "published on every address"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where other hosts reach an instance."""

    address: str
    port: int


def candidates(container: Container, labels: Labels) -> tuple[Port, ...]:
    """Return the ports that may be offered, sorted.

    These are the published or, by network mode, the exposed ones; and those that labels name.
    """
    inside = _is_inside(container, labels)
    ports = set(container.exposed) if inside else {binding.port for binding in container.bindings}
    return tuple(sorted(ports | {Port(number) for number in labels.ports}))


def _is_inside(container: Container, labels: Labels) -> bool:
    """Whether other hosts reach the container's own ports, so that none needs to be published."""
    return container.network_mode == "host" or "NETWORK" in labels.general


def why_none(container: Container, labels: Labels) -> Problem:
    """Return why a container without candidates offers nothing."""
    ignore = labels.general.get("IGNORE")
    if ignore is not None and ignore.value.lower() == "true":
        return because("IGNORED", f"{container.name} is ignored by its label")

    labelled = labels.asks()
    if _is_inside(container, labels):
        seen = f"{container.name} needs no published port, but EXPOSEs none"
        text = f"{seen}; choose a port with the label SERVICE_<port>_NAME=<name>"
        return because("HOST_PORT_UNKNOWN", text, labelled=labelled)

    text = f"{container.name} publishes no port; {_how(container)}"
    return because("NO_PUBLISHED_PORT", text, labelled=labelled)


def _how(container: Container, port: str = "<port>") -> str:
    mode, _, other = container.network_mode.partition(":")
    if mode == "container":
        seen = f"it shares the network of container {other:.12}"
        return f"{seen}: publish {port} on that container and label it"
    return f"add -p {port} or -P to docker run, or the label SERVICE_NETWORK=<network>"


def endpoint(
    container: Container, labels: PortLabels, port: int, host_ip: str, *, labelled: bool
) -> Endpoint | Problem:
    """Return where a TCP port is dialled, or why it cannot be."""
    found = _found(container, labels, port, host_ip, labelled=labelled)
    if labels.address is None or isinstance(found, Problem):
        return found

    try:
        return Endpoint(str(ipaddress.ip_address(labels.address)), found.port)
    except ValueError:
        text = f"SERVICE_ADDRESS of {container.name}: {labels.address!a:.80} is not an IP address"
        return because("BAD_LABEL", text)


def _found(
    container: Container, labels: PortLabels, port: int, host_ip: str, *, labelled: bool
) -> Endpoint | Problem:
    if labels.network is not None:
        return _on_network(container, labels.network, port)
    if container.network_mode == "host":
        return Endpoint(host_ip, port)
    return _published(container, port, host_ip, labelled=labelled)


def _on_network(container: Container, name: str, port: int) -> Endpoint | Problem:
    usable = [network for network in container.networks if network.addresses]
    for network in usable:
        if network.name == name:
            return Endpoint(network.addresses[0], port)

    names = ", ".join(network.name for network in usable) or "none with an address"
    text = f"{name!a:.80} is not one of its networks ({names})"
    return because("NO_NETWORK", f"SERVICE_NETWORK of {container.name}: {text}")


def _published(
    container: Container, port: int, host_ip: str, *, labelled: bool
) -> Endpoint | Problem:
    bindings = [binding for binding in container.bindings if binding.port == Port(port)]
    where = f"port {port} of {container.name}"
    if not bindings:
        text = f"{where} is not published; {_how(container, str(port))}"
        return because("NO_PUBLISHED_PORT", text, labelled=labelled)

    best = _best(bindings, host_ip)
    if best is not None:
        return Endpoint(host_ip if best.host_ip in EVERY else best.host_ip, best.host_port)

    code, text = _refusal(bindings, host_ip)
    return because(code, f"{where} {text}", labelled=labelled)


def _best(bindings: Iterable[Binding], host_ip: str) -> Binding | None:
    """Return the binding that serves other hosts best; None if none does."""
    ranked: list[tuple[int, Binding]] = []
    for binding in bindings:
        rank = _rank(binding, host_ip)
        if rank is not None:
            ranked.append((rank, binding))

    _, best = min(ranked, default=(0, None))
    return best


def _rank(binding: Binding, host_ip: str) -> int | None:
    """Return how well a binding serves other hosts, best first; None if not at all."""
    if binding.host_ip in EVERY:
        same_family = not binding.host_ip or (":" in binding.host_ip) == (":" in host_ip)
        return 0 if same_family else None

    try:
        address = ipaddress.ip_address(binding.host_ip)
    except ValueError:
        return None
    if address.is_loopback and not ipaddress.ip_address(host_ip).is_loopback:
        return None
    return 1 if (address.version == 6) == (":" in host_ip) else 2


def _refusal(bindings: list[Binding], host_ip: str) -> tuple[Code, str]:
    at = ", ".join(binding.host_ip for binding in bindings)
    if any(binding.host_ip in EVERY for binding in bindings):
        seen = f"is published at {at} only and HOST_IP is {host_ip}"
        return "WRONG_FAMILY", f"{seen}: publish it for IPv4 and IPv6"
    return "LOOPBACK_ONLY", f"is published at {at} only, which other hosts cannot reach"


def checked_host_ip(text: str) -> str:
    """Return an address that can be announced. Raises Rejected."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Rejected(f"{text!a:.80} is not an IP address") from error
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise Rejected(f"{text!a:.80} is not the address of one machine")
    return str(address)
