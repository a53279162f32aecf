"""Which service each port of a container is. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from catalog.errors import Rejected
from catalog.records.origin import of_compose, of_image, of_swarm
from catalog.values.rules import SERVICE_NAME
from catalog.values.secrets import unless_secret
from register.docker.container import Container
from register.offer.labels import Labels, LabelText
from register.reasons import because
from sidecar.status.problems import Problem

COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
SWARM_SERVICE = "com.docker.swarm.service.name"
# What a compose service is called without a label: `db`, or `shop-db` for the one of project shop.
ComposeNames = Literal["service", "project"]
_MAPPED = str.maketrans("_./", "---")


class Name(NamedTuple):
    """A service; and by what it got its default name, which is empty if a label gave the name."""

    service: str
    origin: str = ""


def names_of(
    container: Container,
    labels: Labels,
    ports: Sequence[int],
    compose_names: ComposeNames = "service",
) -> Mapping[int, Name | Problem]:
    """Return each port's service, or why it has none.

    `ports` are all that could be offered, in order.
    """
    names: dict[int, Name | Problem] = {}
    for port in ports:
        if text := labels.specific(port).get("NAME"):
            names[port] = _given(container, text)

    unnamed = [port for port in ports if port not in names]
    if not unnamed:
        return names

    general = labels.general.get("NAME")
    if general is None:
        return names | _derived(container, unnamed, compose_names)
    return names | _shared(container, labels, general, unnamed, set(names.values()))


def _derived(
    container: Container, unnamed: Sequence[int], compose_names: ComposeNames
) -> dict[int, Name | Problem]:
    try:
        base, origin = _default_name(container, compose_names)
        if len(unnamed) <= 1:
            return dict.fromkeys(unnamed, Name(service_name(base), origin))
        return {port: Name(service_name(f"{base}-{port}"), origin) for port in unnamed}
    except Rejected as error:
        seen = f"{container.name} has no usable name: {error}"
        if len(unnamed) <= 1:
            text = f"{seen}; add the label SERVICE_NAME=<name>"
            return dict.fromkeys(unnamed, because("BAD_NAME", text))

        texts = {port: f"{seen}; add the label SERVICE_{port}_NAME=<name>" for port in unnamed}
        return {port: because("BAD_NAME", text) for port, text in texts.items()}


def _shared(
    container: Container,
    labels: Labels,
    general: LabelText,
    unnamed: Sequence[int],
    taken: set[Name | Problem],
) -> dict[int, Name | Problem]:
    """Give the one SERVICE_NAME to the one port it can mean.

    Two ports of a container are never one service.
    """
    name = _given(container, general)
    chosen = list(unnamed)
    if len(unnamed) > 1:
        chosen = [port for port in unnamed if labels.specific(port)]

    if name in taken or len(chosen) == 1:
        names: dict[int, Name | Problem] = {
            port: _not_chosen(container, general, port) for port in unnamed
        }
        if name not in taken:
            names[chosen[0]] = name
        return names
    return dict.fromkeys(unnamed, _ambiguous(container, general, chosen or unnamed))


def _given(container: Container, text: LabelText) -> Name | Problem:
    why = unless_secret("", text.value)
    if not why:
        try:
            return Name(service_name(text.value))
        except Rejected as error:
            why = str(error)
    return because("BAD_NAME", f"{text.key} of {container.name}: {why}")


def _ambiguous(container: Container, general: LabelText, ports: Sequence[int]) -> Problem:
    listed = ", ".join(str(port) for port in ports)
    seen = f"{container.name} has ports {listed} and one {general.key}"
    given = _given(container, general)
    name = given.service if isinstance(given, Name) else "<name>"
    right = f"choose with the label SERVICE_{ports[0]}_NAME={name}"
    return because("AMBIGUOUS_PORT", f"{seen}: {right}")


def _not_chosen(container: Container, general: LabelText, port: int) -> Problem:
    return because(
        "NOT_CHOSEN",
        f"port {port} of {container.name}: {general.key} names another port; "
        f"the label SERVICE_{port}_NAME=<name> offers this one too",
    )


def service_name(text: str) -> str:
    """Return a service's name: lower-cased, `_ . /` mapped to `-`. Raises Rejected."""
    name = text.lower().translate(_MAPPED)
    if not SERVICE_NAME.fullmatch(name):
        raise Rejected(f"{text!a:.80} is not a name of letters, digits and -, at most 63")
    return name


def _default_name(container: Container, compose_names: ComposeNames) -> Name:
    """Return the name before it is mapped, and its origin. Raises Rejected."""
    if service := container.labels.get(COMPOSE_SERVICE):
        project = container.labels.get(COMPOSE_PROJECT, "")
        in_full = compose_names == "project" and project
        name = f"{project}-{service}" if in_full else service
        return Name(name, of_compose(project or "?", service))

    if service := container.labels.get(SWARM_SERVICE):
        return Name(service, of_swarm(service))

    repository = _repository(container)
    return Name(repository.rpartition("/")[2], of_image(repository))


def _repository(container: Container) -> str:
    """Return the image's name without registry, tag and digest. Raises Rejected for an id."""
    image = container.image.partition("@")[0]
    *folders, last = image.split("/")
    base = last.partition(":")[0]
    if container.image_is_id:
        raise Rejected(f"it was started by its image's id ({container.image:.19})")
    if not base:
        raise Rejected("its image has no name")

    if folders and _is_registry(folders[0]):
        del folders[0]
    # Docker Hub's own images are also called by their full name, as in library/nginx
    if folders == ["library"]:
        del folders[0]
    return "/".join([*folders, base])


def _is_registry(text: str) -> bool:
    """Whether the first part of an image's name is a host, by the rule of docker pull."""
    return "." in text or ":" in text or text == "localhost"
