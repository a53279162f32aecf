"""Where a port of a container can be dialled from other hosts, by network mode. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from catalog.errors import Rejected
from catalog.values.rules import unmapped
from register.docker.container import Binding, Bridges, Container, Port
from register.offer.labels import Labels
from register.offer.reading import PortLabels
from register.reasons import Code, because
from sidecar.status.problems import Problem

Address = IPv4Address | IPv6Address
# From where a port is reached; "perhaps": at another address of this host, as far as that is known.
Reach = Literal["everywhere", "perhaps", "this host", "bridge", "not known", "other family"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where other hosts reach an instance."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """The address announced for published ports, and the bridges, which only this host reaches.

    `is_asked`: a label names the address, and vouches that it leads to the port.
    """

    own: str
    bridges: Bridges
    is_asked: bool = False


def candidates(container: Container, labels: Labels) -> tuple[Port, ...]:
    """Return the ports that may be offered, sorted.

    These are the published or, by network mode, the exposed ones; and those that labels name.
    """
    inside = _is_inside(container, labels)
    published = {binding.port for binding in container.bindings} | set(container.unclear)
    ports = set(container.exposed) if inside else published
    return tuple(sorted(ports | {Port(number) for number in labels.ports}))


def _is_inside(container: Container, labels: Labels) -> bool:
    """Whether other hosts reach the container's own ports, so that none needs to be published."""
    return container.network_mode == "host" or "NETWORK" in labels.general


def why_none(container: Container, labels: Labels) -> Problem:
    """Return why a container without candidates offers nothing."""
    if labels.ignored:
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
    container: Container, labels: PortLabels, port: int, host: HostAddresses, *, labelled: bool
) -> Endpoint | Problem:
    """Return where a TCP port is dialled, or why it cannot be."""
    if labels.address is None:
        return _found(container, labels, port, host, labelled=labelled)

    try:
        address = _announced(labels.address, host)
    except Rejected as error:
        return because("BAD_LABEL", f"SERVICE_ADDRESS of {container.name}: {error}")

    asked = HostAddresses(address, (), is_asked=True)
    found = _found(container, labels, port, asked, labelled=labelled)
    return found if isinstance(found, Problem) else Endpoint(address, found.port)


def _announced(text: str, host: HostAddresses) -> str:
    address = ip_address(checked_host_ip(text))
    if _is_only_here(address) and not _is_only_here(ip_address(host.own)):
        raise Rejected(
            f"{text!a:.80} leads every other host to itself; name one that they can reach"
        )
    return str(address)


def _found(
    container: Container, labels: PortLabels, port: int, host: HostAddresses, *, labelled: bool
) -> Endpoint | Problem:
    if labels.network is not None:
        return _on_network(container, labels.network, port, host)
    if container.network_mode == "host":
        return Endpoint(host.own, port)
    return _published(container, port, host, labelled=labelled)


def _on_network(
    container: Container, name: str, port: int, host: HostAddresses
) -> Endpoint | Problem:
    usable = [network for network in container.networks if network.addresses]
    for network in usable:
        if network.name == name:
            ours = network.ip6 if ":" in host.own else network.ip4  # as all hosts have it
            return Endpoint(ours or network.addresses[0], port)

    names = ", ".join(network.name for network in usable) or "none with an address"
    text = f"{name!a:.80} is not one of its networks ({names})"
    return because("NO_NETWORK", f"SERVICE_NETWORK of {container.name}: {text}")


def _published(
    container: Container, port: int, host: HostAddresses, *, labelled: bool
) -> Endpoint | Problem:
    bindings = [binding for binding in container.bindings if binding.port == Port(port)]
    where = f"port {port} of {container.name}"
    if not bindings and Port(port) in container.unclear:
        help_ = "on a routed network, the label SERVICE_NETWORK=<network> announces its own address"
        text = f"{where} is published without a host port; {help_}"
        return because("NO_HOST_PORT", text, labelled=labelled)
    if not bindings:
        text = f"{where} is not published; {_how(container, str(port))}"
        return because("NO_PUBLISHED_PORT", text, labelled=labelled)

    best = _best(bindings, host)
    if best is not None:
        at = _address(best)
        return Endpoint(host.own if at is None else str(at), best.host_port)

    code, text = _refusal(bindings, host)
    return because(code, f"{where} {text}", labelled=labelled)


def _best(bindings: Iterable[Binding], host: HostAddresses) -> Binding | None:
    """Return the binding that serves other hosts best; None if none does.

    Of several that do so equally well it is always the same one, the lowest.
    """
    ranked: list[tuple[int, Binding]] = []
    for binding in bindings:
        rank = _rank(binding, host)
        if rank is not None:
            ranked.append((rank, binding))

    _, best = min(ranked, default=(0, None))
    return best


def _rank(binding: Binding, host: HostAddresses) -> int | None:
    """Return how well a binding serves other hosts, best first; None if not at all."""
    own = ip_address(host.own)
    reach = _reach(binding, host)
    if reach == "everywhere":
        return 0 if _address(binding) == own else 1
    if reach == "perhaps":
        return 2 if _version(binding) == own.version else 3
    return 4 if host.is_asked else None


def _reach(binding: Binding, host: HostAddresses) -> Reach:
    """Return from where a binding is reached."""
    own, address = ip_address(host.own), _address(binding)
    if address is None:
        return "everywhere" if _version(binding) in (None, own.version) else "other family"
    if address == own:
        return "everywhere"

    if own.is_loopback:
        return "perhaps"  # there are no other hosts: whatever this one reaches will do
    if _is_only_here(address):
        return "this host"
    if host.bridges is None:
        return "not known"
    # A bridge that has HOST_IP is not closed: it has a card of the host, or all there is is here.
    closed = (subnet for subnet in host.bridges if own not in subnet)
    return "bridge" if any(address in subnet for subnet in closed) else "perhaps"


def _address(binding: Binding) -> Address | None:
    """Return the one address at which a port is published; None for all of them."""
    address = unmapped(ip_address(binding.host_ip or "::"))
    return None if address.is_unspecified else address


def _version(binding: Binding) -> int | None:
    """Return 4 or 6; None for both."""
    return unmapped(ip_address(binding.host_ip)).version if binding.host_ip else None


def _is_only_here(address: Address) -> bool:
    """Whether an address means another machine, or none, on every other host."""
    return address.is_loopback or address.is_link_local


def _refusal(bindings: list[Binding], host: HostAddresses) -> tuple[Code, str]:
    at = ", ".join(binding.host_ip for binding in bindings)
    seen = f"is published at {at} only"
    reaches = {_reach(binding, host) for binding in bindings}
    if "other family" in reaches:
        return "WRONG_FAMILY", f"{seen} and HOST_IP is {host.own}: publish it for IPv4 and IPv6"

    inside, outside = bindings[0].port.number, bindings[0].host_port
    help_ = f"publish it with -p {outside}:{inside} or -p {host.own}:{outside}:{inside}"
    if "not known" in reaches:
        why = "the engine does not tell whether that is a Docker network's: allow GET /networks, or"
        return "BRIDGE_ONLY", f"{seen}, and {why} {help_}"

    seen = f"{seen}, which other hosts cannot reach"
    return ("BRIDGE_ONLY" if "bridge" in reaches else "LOOPBACK_ONLY"), f"{seen}: {help_}"


def checked_host_ip(text: str) -> str:
    """Return an address that can be announced. Raises Rejected."""
    try:
        address = unmapped(ip_address(text))
    except ValueError as error:
        raise Rejected(f"{text!a:.80} is not an IP address") from error
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise Rejected(f"{text!a:.80} is not the address of one machine")
    return str(address)
