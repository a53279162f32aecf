"""Decide which instances a container offers, and why not the others. No I/O, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from catalog.errors import Rejected
from catalog.record import Instance, State
from register.docker.container import Container
from register.offer.addresses import Endpoint, candidates, endpoint, why_none
from register.offer.labels import Labels, PortLabels, labels_of, read
from register.offer.naming import names_of
from register.reasons import because
from sidecar.status.problems import Problem

RegisterMode = Literal["published", "labelled"]


@dataclass(frozen=True, slots=True)
class OfferSettings:
    """What the host's settings decide about every container."""

    host_ip: str
    register: RegisterMode = "published"
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The instances of one container, sorted by port, and a reason for everything else, by `name` or `name:port`."""

    container: Container
    instances: tuple[Instance, ...]
    reasons: Mapping[str, Problem]


def instances_of(container: Container, settings: OfferSettings, *, stopping: bool = False) -> Offer:
    """Return what a container offers. Stopping, paused and unhealthy containers offer draining instances.

    Unhealthy and paused ones are offered whether or not they were before, so that a registrar that was started
    anew, and has no memory, writes the same as one that was not.
    """
    labels = labels_of(container)
    refusal = _not_at_all(container)
    ports = candidates(container, labels)
    if refusal is None and not ports:
        refusal = why_none(container, labels)
    if refusal is not None:
        return Offer(container, (), {container.name: refusal})
    udp = {
        f"{container.name}:{port}": _udp(container, labels, port.number)
        for port in ports
        if port.protocol != "tcp"
    }
    numbers = tuple(port.number for port in ports if port.protocol == "tcp")
    state: State = (
        "draining" if stopping or container.paused or container.health == "unhealthy" else "ready"
    )
    outcomes = _outcomes(container, settings, labels, numbers, state)
    return Offer(
        container,
        tuple(outcome for outcome in outcomes.values() if isinstance(outcome, Instance)),
        udp | {f"{container.name}:{n}": o for n, o in outcomes.items() if isinstance(o, Problem)},
    )


def _not_at_all(container: Container) -> Problem | None:
    if not container.running or container.restarting:
        return because("NOT_RUNNING", f"{container.name} is not running")
    if container.health == "starting":
        return because("STARTING", f"{container.name}: its HEALTHCHECK has not succeeded yet")
    return None


def _udp(container: Container, labels: Labels, port: int) -> Problem:
    return because(
        "UDP_PORT",
        f"port {port}/udp of {container.name} is not TCP",
        labelled=port in labels.by_port,
    )


def _outcomes(
    container: Container,
    settings: OfferSettings,
    labels: Labels,
    ports: tuple[int, ...],
    state: State,
) -> Mapping[int, Instance | Problem]:
    said = {port: _said(container, settings, labels, port) for port in ports}
    # A port with a bad label still counts, or mending the label would rename the other ports' services.
    counted = [
        port
        for port in ports
        if not isinstance(said[port], Problem) or _is(said[port], "BAD_LABEL")
    ]
    names = names_of(container, labels, counted)
    return {
        port: _outcome(container, settings, port, state, said[port], names.get(port))
        for port in ports
    }


def _is(outcome: object, code: str) -> bool:
    return isinstance(outcome, Problem) and outcome.code == code


@dataclass(frozen=True, slots=True)
class _Said:
    labels: PortLabels
    endpoint: Endpoint


def _said(
    container: Container, settings: OfferSettings, labels: Labels, port: int
) -> _Said | Problem:
    try:
        port_labels = read(labels, port)
    except Rejected as error:
        return because("BAD_LABEL", str(error))
    if port_labels.ignore:
        return because("IGNORED", f"port {port} of {container.name} is to be ignored")
    labelled = labels.asks(port)
    if settings.register == "labelled" and not labelled:
        text = f"port {port} of {container.name}: REGISTER=labelled; offer it with the label SERVICE_{port}_NAME=<name>"
        return because("NOT_LABELLED", text)
    found = endpoint(container, port_labels, port, settings.host_ip, labelled=labelled)
    return found if isinstance(found, Problem) else _Said(port_labels, found)


def _outcome(
    container: Container,
    settings: OfferSettings,
    port: int,
    state: State,
    said: _Said | Problem,
    name: str | Problem | None,
) -> Instance | Problem:
    if isinstance(said, Problem):
        return said
    if not isinstance(name, str):
        return name or because("NOT_CHOSEN", f"port {port} of {container.name} has no name")
    try:
        return _instance(container, settings, port, state, said, name)
    except Rejected as error:
        return because("BAD_LABEL", f"port {port} of {container.name}: {error}")


def _instance(
    container: Container, settings: OfferSettings, port: int, state: State, said: _Said, name: str
) -> Instance:
    return Instance(
        service=name,
        address=said.endpoint.address,
        port=said.endpoint.port,
        container=container.id,
        container_port=port,
        state=state,
        container_name=container.name,
        image=container.image,
        zone=settings.zone,
        **{"service_port": port, **said.labels.fields},
    )
