"""Decide which instances a container offers, and why not the others. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from catalog.errors import Rejected
from catalog.records.record import TIME_MS_MAX, Instance
from catalog.values.reserved_ports import NONE, PortSet
from register.docker.container import Bridges, Container, Port
from register.offer.addresses import Endpoint, HostAddresses, candidates, endpoint, why_none
from register.offer.labels import Labels, labels_of
from register.offer.naming import ComposeNames, Name, names_of
from register.offer.one_off import one_off_of
from register.offer.one_port import bound
from register.offer.port_ranges import fit_ports
from register.offer.reading import PortLabels, read, read_place
from register.offer.record_size import LISTS, fitted
from register.reasons import because
from sidecar.status.problems import Problem

ODD_SHOWN = 4  # of the odd fields of one container
NS_OF_MS = 1_000_000

RegisterMode = Literal["published", "labelled"]


@dataclass(frozen=True, slots=True)
class OfferSettings:
    """What the host's settings decide about every container."""

    host_ip: str
    register: RegisterMode = "published"
    zone: str = ""
    bridges: Bridges = ()
    compose_names: ComposeNames = "service"
    reserved_ports: PortSet = NONE


@dataclass(frozen=True, slots=True)
class Offer:
    """The instances of one container, sorted by port, and the reason for everything else.

    A reason goes with the container's `name`, or with `name:port`. One that goes with `name label`
    refuses no port: it says what of the labels has no effect.
    """

    container: Container
    instances: tuple[Instance, ...]
    reasons: Mapping[str, Problem]


@dataclass(frozen=True, slots=True)
class _NamedPort:
    """A port that has a name: what its labels say, and where it is dialled."""

    number: int
    name: Name
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
    odd = _odd_reasons(container)
    if refusal is not None:
        return Offer(container, (), {container.name: refusal, **odd})

    leaving = _why_leaving(container, stopping=stopping)
    numbers, unfit = fit_ports(container.name, labels, ports)
    outcomes, notes = _outcomes(container, settings, labels, numbers, leaving)

    instances = [outcome for outcome in outcomes.values() if isinstance(outcome, Instance)]
    reasons = {**_by_place(container.name, notes), **unfit}
    for number, outcome in outcomes.items():
        if isinstance(outcome, Problem):
            reasons[f"{container.name}:{number}"] = outcome

    if instances and container.health == "starting":
        # Only now: what is never published, or is labelled wrongly, need not wait to be told so.
        text = f"{container.name}: its HEALTHCHECK has not succeeded yet"
        return Offer(container, (), {container.name: because("STARTING", text), **reasons, **odd})
    return Offer(container, tuple(instances), {**reasons, **odd})


def _why_leaving(container: Container, *, stopping: bool) -> str:
    """Return why the instances of a container drain; empty: they do not."""
    if stopping:
        return "stop signal"
    if container.paused:
        return "paused"
    return "unhealthy" if container.health == "unhealthy" else ""


def _odd_reasons(container: Container) -> dict[str, Problem]:
    """Return what could not be read of a container, under a name of its own: the rest applies."""
    if not container.odd:
        return {}

    shown = "; ".join(container.odd[:ODD_SHOWN])
    more = len(container.odd) - ODD_SHOWN
    text = f"{container.name} is read without what is odd: {shown}"
    problem = because("ODD_FIELD", f"{text}; and {more} more" if more > 0 else text)
    return {f"{container.name} inspect": problem}


def _by_place(container: str, notes: Mapping[str, Problem]) -> dict[str, Problem]:
    """Return notes by what they are about, for people: the container, and its label."""
    return {f"{container} {ascii(label)[1:-1]:.80}": note for label, note in notes.items()}


def _why_nothing(container: Container, labels: Labels, ports: tuple[Port, ...]) -> Problem | None:
    """Return why a container offers nothing at all, if that is so."""
    if not container.running or container.restarting:
        return because("NOT_RUNNING", f"{container.name} is not running")
    if container.is_infra and not labels.asks():
        return because("POD_INFRA", f"{container.name} only holds the network of its pod")
    if ports:
        return None

    if program := one_off_of(container):
        text = f"{container.name}: a one-off of {program}, and publishes no port"
        return because("ONE_OFF", text, labelled=False)
    return why_none(container, labels)


def _outcomes(
    container: Container,
    settings: OfferSettings,
    labels: Labels,
    ports: Iterable[int],
    leaving: str,
) -> tuple[Mapping[int, Instance | Problem], dict[str, Problem]]:
    """Return for each TCP port its instance, or why there is none; and notes about labels."""
    places = {port: _place(container, settings, labels, port) for port in ports}
    # One with a bad label or field counts too: else mending it would rename the other services.
    named = [port for port, place in places.items() if _takes_part(place)]
    names = names_of(container, labels, named, settings.compose_names)
    chosen = [port for port in named if _is_chosen(names[port])]
    own_labels = bound(labels, chosen, _refused(labels, places))
    notes = dict(own_labels.notes) if chosen else {}

    outcomes: dict[int, Instance | Problem] = {}
    for port, place in places.items():
        name = names.get(port)
        if isinstance(name, Name):
            found = _named_port(own_labels, port, name, place)
            outcomes[port] = _instance(container, settings, leaving, found, notes)
        elif isinstance(place, Problem):
            outcomes[port] = place
        elif name is not None:
            outcomes[port] = name
    return outcomes, notes


def _takes_part(place: Endpoint | Problem) -> bool:
    return not isinstance(place, Problem) or place.code in ("BAD_LABEL", "NO_HOST_PORT")


def _is_chosen(name: Name | Problem) -> bool:
    # A bad name counts as well: else mending it would change what the other ports have.
    return isinstance(name, Name) or name.code == "BAD_NAME"


def _refused(labels: Labels, places: Mapping[int, Endpoint | Problem]) -> list[int]:
    """Return the ports that are published, or that VIRTUAL_PORT names, and cannot be offered."""
    unasked = {"IGNORED", "NOT_LABELLED", "NO_PUBLISHED_PORT"}
    return [
        port
        for port, place in places.items()
        if isinstance(place, Problem)
        and not _takes_part(place)
        and (place.code not in unasked or port == labels.web_port)
    ]


def _place(
    container: Container, settings: OfferSettings, labels: Labels, port: int
) -> Endpoint | Problem:
    """Return where a port is dialled, or why it is not offered, whatever its name."""
    try:
        port_labels = read_place(labels, port)
    except Rejected as error:
        return because("BAD_LABEL", str(error))

    labelled = labels.asks(port)
    if port_labels.ignore:
        return because("IGNORED", f"port {port} of {container.name} is ignored by its label")
    if refusal := _why_not_asked(container, settings, labels, port, labelled=labelled):
        return refusal

    host = HostAddresses(settings.host_ip, settings.bridges)
    found = endpoint(container, port_labels, port, host, labelled=labelled)
    if isinstance(found, Problem) and port == labels.web_port:
        return replace(found, text=f"{found.text} ({_of_virtual_port(container, port)})")
    return found


def _why_not_asked(
    container: Container, settings: OfferSettings, labels: Labels, port: int, *, labelled: bool
) -> Problem | None:
    """Return why a port has to be asked for by a label, if it does and is not."""
    where = f"port {port} of {container.name}"
    program = one_off_of(container)
    if program and "IGNORE" not in labels.of(port):
        help_ = "publish it all the same with the label SERVICE_IGNORE=false"
        return because("ONE_OFF", f"{where}: a one-off of {program}; {help_}", labelled=labelled)

    if settings.register == "labelled" and not labelled:
        help_ = f"offer it with the label SERVICE_{port}_NAME=<name>"
        return because("NOT_LABELLED", f"{where}: REGISTER=labelled; {help_}")

    if container.mates and not _is_named(labels, port):
        mates = ", ".join(container.mates)
        help_ = f"if it is this one's, add the label SERVICE_{port}_NAME=<name>"
        return because("POD_PORT", f"{where} is shared with {mates}; {help_}", labelled=labelled)
    return None


def _of_virtual_port(container: Container, port: int) -> str:
    """Return where a port that is not offered comes from; many name the host's port instead."""
    meant = [str(b.port.number) for b in container.bindings if b.host_port == port]
    if meant:
        return f"VIRTUAL_PORT names it: the host's {port} leads to port {meant[0]}, so name that"
    return "VIRTUAL_PORT names it"


def _named_port(
    labels: Labels, port: int, name: Name, place: Endpoint | Problem
) -> _NamedPort | Problem:
    """Return a port with its labels, or all that is wrong with them at once."""
    try:
        port_labels = read(labels, port)
    except Rejected as error:
        return because("BAD_LABEL", str(error))
    return place if isinstance(place, Problem) else _NamedPort(port, name, port_labels, place)


def _is_named(labels: Labels, port: int) -> bool:
    return "NAME" in labels.of(port) or port in labels.ports


def _instance(
    container: Container,
    settings: OfferSettings,
    leaving: str,
    found: _NamedPort | Problem,
    notes: dict[str, Problem],
) -> Instance | Problem:
    """Return a port's instance, and add to `notes` what of its labels is left out."""
    if isinstance(found, Problem):
        return found

    fields = {**_own_port(found, settings.reserved_ports), **found.labels.fields}
    lists = {name: fields.pop(name) for name in LISTS & fields.keys()}
    where = f"port {found.number} of {container.name}"
    # a stub stands in for whatever has its name
    is_stub = fields.get("role") == "stub"
    try:
        bare = Instance(
            service=found.name.service,
            address=found.endpoint.address,
            port=found.endpoint.port,
            container=container.id,
            container_port=found.number,
            state="draining" if leaving else "ready",
            leaving=leaving,
            container_name=container.name,
            image=container.image,
            zone=settings.zone,
            origin="" if is_stub else found.name.origin,
            started_ms=_started_ms(container),
            **fields,
        )
    except Rejected as error:
        return because("BAD_LABEL", f"{where}: {error}")

    whole = fitted(bare, lists)
    notes |= found.labels.notes
    if bare.port_reserved:
        notes[f"own port {found.number}"] = _not_asked_for(where, whole.instance)
    if whole.left_out:
        text = f"{where} has more labels than a record holds; left out: {whole.left_out}"
        notes[f"port {found.number}"] = because("PARTLY_APPLIED", text)
    return whole.instance


def _started_ms(container: Container) -> int | None:
    """Return when a container was started, if the engine says so, and not before 1970."""
    started_ms = container.started_ns // NS_OF_MS
    return started_ms if 0 < started_ms <= TIME_MS_MAX else None


def _own_port(found: _NamedPort, reserved: PortSet) -> dict[str, Any]:
    """Return the service port of a container that asks for none: its own, unless reserved."""
    if found.number not in reserved or "service_port" in found.labels.fields:
        return {"service_port": found.number}
    return {"service_port": None, "port_reserved": True}


def _not_asked_for(where: str, instance: Instance) -> Problem:
    port = instance.container_port
    right = f"add the label SERVICE_{port}_PORT={port} to call {instance.service} at that port"
    seen = f"{where} is not the service port of {instance.service}: {port} is reserved for the host"
    instead = "it gets one from PORT_RANGE, or none if only its host names are called"
    problem = because("PORT_NOT_ASKED", f"{seen} (RESERVED_PORTS); {right}; until then {instead}")

    # Most that have a host name are called by no port at all.
    return replace(problem, quiet=bool(instance.hosts))
