"""Decide which instances a container offers, and why not the others. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from catalog.errors import Rejected
from catalog.record import Instance, State
from register.docker.container import Bridges, Container, Port
from register.offer.addresses import Endpoint, HostAddresses, candidates, endpoint, why_none
from register.offer.labels import Labels, PortLabels, labels_of, read
from register.offer.naming import ComposeNames, Name, names_of
from register.reasons import Code, because
from sidecar.status.problems import Problem

RegisterMode = Literal["published", "labelled"]


@dataclass(frozen=True, slots=True)
class OfferSettings:
    """What the host's settings decide about every container."""

    host_ip: str
    register: RegisterMode = "published"
    zone: str = ""
    bridges: Bridges = ()
    compose_names: ComposeNames = "service"


@dataclass(frozen=True, slots=True)
class Offer:
    """The instances of one container, sorted by port, and the reason for everything else.

    A reason goes with the container's `name`, or with `name:port`.
    """

    container: Container
    instances: tuple[Instance, ...]
    reasons: Mapping[str, Problem]


@dataclass(frozen=True, slots=True)
class _ReadPort:
    """A port with good labels, and where it is dialled."""

    labels: PortLabels
    endpoint: Endpoint


def instances_of(container: Container, settings: OfferSettings, *, stopping: bool = False) -> Offer:
    """Return what a container offers: draining instances if it stops, is paused or unhealthy.

    Paused and unhealthy containers are offered whether or not they were before: a registrar that
    was started again remembers nothing, and has to write the same as one that was not.
    """
    labels = labels_of(container)
    ports = candidates(container, labels)
    refusal = _why_nothing(container, labels, ports)
    if refusal is not None:
        return Offer(container, (), {container.name: refusal})

    is_leaving = stopping or container.paused or container.health == "unhealthy"
    state: State = "draining" if is_leaving else "ready"
    numbers = [port.number for port in ports if port.protocol == "tcp"]
    outcomes = _outcomes(container, settings, labels, numbers, state)

    instances = [outcome for outcome in outcomes.values() if isinstance(outcome, Instance)]
    reasons = _not_tcp(container, labels, ports)
    for number, outcome in outcomes.items():
        if isinstance(outcome, Problem):
            reasons[f"{container.name}:{number}"] = outcome
    return Offer(container, tuple(instances), reasons)


def _why_nothing(container: Container, labels: Labels, ports: tuple[Port, ...]) -> Problem | None:
    """Return why a container offers nothing at all, if that is so."""
    if not container.running or container.restarting:
        return because("NOT_RUNNING", f"{container.name} is not running")
    if container.health == "starting":
        return because("STARTING", f"{container.name}: its HEALTHCHECK has not succeeded yet")
    return None if ports else why_none(container, labels)


def _not_tcp(container: Container, labels: Labels, ports: Iterable[Port]) -> dict[str, Problem]:
    reasons: dict[str, Problem] = {}
    for port in ports:
        if port.protocol != "tcp":
            code: Code = "UDP_PORT" if port.protocol == "udp" else "SCTP_PORT"
            text = f"port {port} of {container.name} is not TCP"
            labelled = port.number in labels.by_port
            reasons[f"{container.name}:{port}"] = because(code, text, labelled=labelled)
    return reasons


def _outcomes(
    container: Container,
    settings: OfferSettings,
    labels: Labels,
    ports: Iterable[int],
    state: State,
) -> Mapping[int, Instance | Problem]:
    """Return for each TCP port its instance, or why there is none."""
    read_ports = {port: _read(container, settings, labels, port) for port in ports}
    # A port with a bad label counts too: else mending the label would rename the other services.
    named = [port for port, found in read_ports.items() if _takes_part(found)]
    names = names_of(container, labels, named, settings.compose_names)

    outcomes: dict[int, Instance | Problem] = {}
    for port, found in read_ports.items():
        name = names.get(port)
        if isinstance(found, Problem):
            outcomes[port] = found
        elif isinstance(name, Name):
            outcomes[port] = _instance(container, settings, port, state, found, name)
        else:
            nameless = f"port {port} of {container.name} has no name"
            outcomes[port] = name or because("NOT_CHOSEN", nameless)
    return outcomes


def _takes_part(found: _ReadPort | Problem) -> bool:
    return not isinstance(found, Problem) or found.code == "BAD_LABEL"


def _read(
    container: Container, settings: OfferSettings, labels: Labels, port: int
) -> _ReadPort | Problem:
    try:
        port_labels = read(labels, port)
    except Rejected as error:
        return because("BAD_LABEL", str(error))

    where = f"port {port} of {container.name}"
    if port_labels.ignore:
        return because("IGNORED", f"{where} is ignored by its label")
    labelled = labels.asks(port)
    if settings.register == "labelled" and not labelled:
        help_ = f"offer it with the label SERVICE_{port}_NAME=<name>"
        return because("NOT_LABELLED", f"{where}: REGISTER=labelled; {help_}")

    host = HostAddresses(settings.host_ip, settings.bridges)
    found = endpoint(container, port_labels, port, host, labelled=labelled)
    return found if isinstance(found, Problem) else _ReadPort(port_labels, found)


def _instance(
    container: Container,
    settings: OfferSettings,
    port: int,
    state: State,
    found: _ReadPort,
    name: Name,
) -> Instance | Problem:
    # a stub stands in for whatever has its name
    is_stub = found.labels.fields.get("role") == "stub"
    try:
        return Instance(
            service=name.service,
            address=found.endpoint.address,
            port=found.endpoint.port,
            container=container.id,
            container_port=port,
            state=state,
            container_name=container.name,
            image=container.image,
            zone=settings.zone,
            origin="" if is_stub else name.origin,
            **{"service_port": port, **found.labels.fields},
        )
    except Rejected as error:
        return because("BAD_LABEL", f"port {port} of {container.name}: {error}")
