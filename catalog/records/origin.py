"""By what a service got its default name: a short text in its record, and how to part two. No I/O.

Records of one service that have different origins share its name by chance. A record without an
origin was named by a label or a variable, or is a stub's: it belongs to the service in any case.
"""

import re

from catalog.digest import sha256
from catalog.values.rules import ORIGIN_CHARACTERS, SERVICE_NAME

# What stays readable of a text that is too long: all of it together is in the digest after it.
_SHOWN, _DIGEST = 40, 8
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_COMPOSE = re.compile(r"compose project (?P<owner>.+), service .+")
_IMAGE = re.compile(r"image (?:.+/)?(?P<owner>[^/]+)/[^/]+")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_NAME_MAX = 63  # RFC 1035 section 2.3.4, as in SERVICE_NAME


def of_compose(project: str, service: str) -> str:
    """Return the origin of a name that is a compose service's."""
    return f"compose project {_shown(project)}, service {_shown(service)}"


def of_swarm(service: str) -> str:
    """Return the origin of a name that is a swarm service's; a swarm has each name once."""
    return f"swarm service {_shown(service)}"


def of_image(repository: str) -> str:
    """Return the origin of a name that is an image's, from its name without registry and tag."""
    return f"image {_shown(repository, ORIGIN_CHARACTERS - len('image '))}"


def _shown(text: str, most: int = _SHOWN + 1 + _DIGEST) -> str:
    """Return text that a record takes, as different texts become different ones."""
    printable = _UNPRINTABLE.sub("?", text)
    if printable == text and len(text) <= most:
        return text

    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{printable[: most - 1 - _DIGEST]}~{digest}"


def suggested_name(origin: str, service: str) -> str:
    """Return another name for a service of this origin: `shop-db` for compose project shop's db."""
    match = _COMPOSE.fullmatch(origin) or _IMAGE.fullmatch(origin)
    owner = _NO_NAME.sub("-", match["owner"].lower()).strip("-") if match else ""
    space = _NAME_MAX - len(f"-{service}")

    name = f"{owner[:space].rstrip('-')}-{service}" if space > 0 else ""
    if SERVICE_NAME.fullmatch(name) and not service.startswith(f"{owner}-"):
        return name
    return f"{service[: _NAME_MAX - 2].rstrip('-')}-2"


def label_to_add(origin: str, service: str, container_port: int) -> str:
    """Return the label that gives a container, or one of its ports, a name of its own."""
    name = suggested_name(origin, service)
    # a container with several ports is named with the port behind, and so one port at a time
    if service.endswith(f"-{container_port}"):
        return f"SERVICE_{container_port}_NAME={name}"
    return f"SERVICE_NAME={name}"
