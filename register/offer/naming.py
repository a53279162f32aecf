"""Which service each port of a container is. No I/O."""

import re
from collections.abc import Mapping, Sequence

from catalog.errors import Rejected
from catalog.rules import SERVICE_NAME
from register.docker.container import Container
from register.offer.labels import Labels, LabelText
from register.reasons import because
from sidecar.status.problems import Problem

COMPOSE_SERVICE = "com.docker.compose.service"
_MAPPED = str.maketrans("_./", "---")
_IMAGE_ID = re.compile(r"[0-9a-f]{12}|[0-9a-f]{64}")


def names_of(
    container: Container, labels: Labels, ports: Sequence[int]
) -> Mapping[int, str | Problem]:
    """Return each port's service, or why it has none.

    `ports` are all that could be offered, in order.
    """
    names: dict[int, str | Problem] = {}
    for port in ports:
        if text := labels.specific(port).get("NAME"):
            names[port] = _given(container, text)

    unnamed = [port for port in ports if port not in names]
    if not unnamed:
        return names

    general = labels.general.get("NAME")
    if general is None:
        return names | _derived(container, unnamed)
    return names | _shared(container, labels, general, unnamed, set(names.values()))


def _derived(container: Container, unnamed: Sequence[int]) -> dict[int, str | Problem]:
    try:
        name = _default_name(container)
        if len(unnamed) <= 1:
            return dict.fromkeys(unnamed, service_name(name))
        return {port: service_name(f"{name}-{port}") for port in unnamed}
    except Rejected as error:
        text = f"{container.name} has no usable name: {error}; add the label SERVICE_NAME=<name>"
        return dict.fromkeys(unnamed, because("BAD_NAME", text))


def _shared(
    container: Container,
    labels: Labels,
    general: LabelText,
    unnamed: Sequence[int],
    taken: set[str | Problem],
) -> dict[int, str | Problem]:
    """Give the one SERVICE_NAME to the one port it can mean.

    Two ports of a container are never one service.
    """
    name = _given(container, general)
    chosen = list(unnamed)
    if len(unnamed) > 1:
        chosen = [port for port in unnamed if labels.specific(port)]

    if name in taken or len(chosen) == 1:
        names: dict[int, str | Problem] = {
            port: _not_chosen(container, general, port) for port in unnamed
        }
        if name not in taken:
            names[chosen[0]] = name
        return names
    return dict.fromkeys(unnamed, _ambiguous(container, general, chosen or unnamed))


def _given(container: Container, text: LabelText) -> str | Problem:
    try:
        return service_name(text.value)
    except Rejected as error:
        return because("BAD_NAME", f"{text.key} of {container.name}: {error}")


def _ambiguous(container: Container, general: LabelText, ports: Sequence[int]) -> Problem:
    listed = ", ".join(str(port) for port in ports)
    return because(
        "AMBIGUOUS_PORT",
        f"{container.name} has ports {listed} and one {general.key}: "
        f"choose with the label SERVICE_{ports[0]}_NAME={general.value:.63}",
    )


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


def _default_name(container: Container) -> str:
    if service := container.labels.get(COMPOSE_SERVICE):
        return service

    image = container.image.partition("@")[0]
    base = image.rpartition("/")[2].partition(":")[0]
    if not base or image.startswith("sha256:") or _IMAGE_ID.fullmatch(image):
        raise Rejected(f"only its image's id is known ({container.image:.19})")
    return base
