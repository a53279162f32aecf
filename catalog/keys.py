"""Where everything stands in etcd: names to keys, and keys to names. No I/O, no values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from catalog.errors import Rejected
from catalog.records.record import Instance
from catalog.values.rules import HOST_NAME, PATH_PREFIX, PORT_MAX, SERVICE_NAME

HOST_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
ASK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
OVERRIDE_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
# Stands in the key of an override in place of a service, which never has this name.
EVERY_SERVICE = "_"
CONTAINER_SHORT = 12  # digits of a container id, as many as Docker itself shows
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_CONTAINER = re.compile(rf"[0-9a-f]{{{CONTAINER_SHORT}}}")


@dataclass(frozen=True, slots=True, order=True)
class OwnerKey:
    """The key that says which registrar writes for a host."""

    host: str


@dataclass(frozen=True, slots=True, order=True)
class DrainedKey:
    """The key that keeps a host out of service, under no lease.

    While it exists, the registrar of the host publishes nothing.
    """

    host: str


@dataclass(frozen=True, slots=True, order=True)
class InstanceKey:
    """The identity of one instance: the port inside one container, on one host."""

    host: str
    service: str
    container: str
    container_port: int

    @property
    def name(self) -> str:
        """The last part of the key; HAProxy's server has the same name."""
        return f"{self.container}:{self.container_port}"


@dataclass(frozen=True, slots=True, order=True)
class PurgeKey:
    """The key that stops all calls to a host, whatever its registrar or HAProxy's checks find."""

    host: str


@dataclass(frozen=True, slots=True, order=True)
class PortKey:
    """The key that holds the port claimed for a service."""

    service: str


HoldKind = Literal["port", "host", "name"]


@dataclass(frozen=True, slots=True, order=True)
class HoldKey:
    """The key that says who holds a thing.

    The thing is a service port ("8080"), a host name with the beginning of a path that ends with a
    slash ("shop.example.com/api/"), or the name of a service ("db").
    """

    kind: HoldKind
    thing: str


@dataclass(frozen=True, slots=True, order=True)
class HostPortsKey:
    """The key that says which ports of a host its containers have, under the host's lease."""

    host: str


@dataclass(frozen=True, slots=True, order=True)
class ProxyKey:
    """The key that says that a host has a docker-discover, under a lease of its own."""

    host: str


@dataclass(frozen=True, slots=True, order=True)
class AskKey:
    """The key of a question to the pair, under the lease of whoever asks."""

    id: str


@dataclass(frozen=True, slots=True, order=True)
class OverrideKey:
    """The key of an override of a service, or of EVERY_SERVICE."""

    service: str
    id: str


Key = (
    HostPortsKey
    | OwnerKey
    | DrainedKey
    | PurgeKey
    | ProxyKey
    | InstanceKey
    | PortKey
    | HoldKey
    | AskKey
    | OverrideKey
)

_OF_A_HOST: Mapping[str, type[OwnerKey | DrainedKey | PurgeKey | HostPortsKey | ProxyKey]] = {
    "owner": OwnerKey,
    "drained": DrainedKey,
    "purge": PurgeKey,
    "ports": HostPortsKey,
    "proxy": ProxyKey,
}
_NAMES: Mapping[type[Key], str] = {kind: name for name, kind in _OF_A_HOST.items()}


def identity(host: str, instance: Instance) -> InstanceKey:
    """Return the identity of an instance that runs on a host."""
    container = instance.container[:CONTAINER_SHORT]
    return InstanceKey(host, instance.service, container, instance.container_port)


def hosts_root(prefix: str) -> str:
    """Return what every key of every host starts with."""
    return f"{prefix}/v1/hosts/"


def root(prefix: str) -> str:
    """Return what every key of this layout starts with."""
    return f"{prefix}/v1/"


def ports_root(prefix: str) -> str:
    """Return what every key of a claimed port starts with."""
    return f"{root(prefix)}ports/"


def holds_root(prefix: str) -> str:
    """Return what every key of a hold starts with."""
    return f"{root(prefix)}holds/"


def asks_root(prefix: str) -> str:
    """Return what every key of a question starts with."""
    return f"{root(prefix)}asks/"


def overrides_root(prefix: str) -> str:
    """Return what every key of an override starts with."""
    return f"{root(prefix)}overrides/"


def host_root(prefix: str, host: str) -> str:
    """Return what every key of one host starts with: all that its registrar may write."""
    return f"{hosts_root(prefix)}{host}/"


def instances_root(prefix: str, host: str) -> str:
    """Return what every instance key of one host starts with."""
    return f"{host_root(prefix, host)}instances/"


def is_of_people(prefix: str, text: str) -> bool:
    """Whether a key is for those who ask, and says nothing of what HAProxy shall run."""
    if text.startswith(asks_root(prefix)):
        return True
    return text.startswith(hosts_root(prefix)) and text.endswith("/proxy")


def key_of(prefix: str, key: Key) -> str:
    """Return the etcd key; `parse_key` is its inverse."""
    match key:
        case (
            OwnerKey(host) | DrainedKey(host) | PurgeKey(host) | HostPortsKey(host) | ProxyKey(host)
        ):
            return f"{host_root(prefix, host)}{_NAMES[type(key)]}"
        case InstanceKey(host, service):
            return f"{instances_root(prefix, host)}{service}/{key.name}"
        case PortKey(service):
            return f"{ports_root(prefix)}{service}"
        case HoldKey(kind, thing):
            return f"{holds_root(prefix)}{kind}/{thing}"
        case AskKey(id_):
            return f"{asks_root(prefix)}{id_}"
        case OverrideKey(service, id_):
            return f"{overrides_root(prefix)}{service}/{id_}"


def parse_key(prefix: str, text: str) -> Key:
    """Return what an etcd key names. Raises Rejected for a key that is not of this layout."""
    if not text.startswith(root(prefix)):
        raise Rejected(f"key {text!r:.200}: does not start with {root(prefix)}")

    match text.removeprefix(root(prefix)).split("/"):
        case ["hosts", host, name] if name in _OF_A_HOST and HOST_ID.fullmatch(host):
            return _OF_A_HOST[name](host)
        case ["hosts", host, "instances", service, name] if HOST_ID.fullmatch(host):
            container, _, port = name.partition(":")
            is_named = SERVICE_NAME.fullmatch(service) and _CONTAINER.fullmatch(container)
            if is_named and _is_port(port):
                return InstanceKey(host, service, container, int(port))
        case ["ports", service] if SERVICE_NAME.fullmatch(service):
            return PortKey(service)
        case ["asks", id_] if ASK_ID.fullmatch(id_):
            return AskKey(id_)
        case ["overrides", service, id_] if OVERRIDE_ID.fullmatch(id_):
            if service == EVERY_SERVICE or SERVICE_NAME.fullmatch(service):
                return OverrideKey(service, id_)
        case ["holds", kind, *words] if (hold := _hold_key(kind, "/".join(words))) is not None:
            return hold

    raise Rejected(
        f"key {text!r:.200}: not hosts/<host>/owner, hosts/<host>/purge, ports/<service>, "
        "asks/<id>, overrides/<service>/<id>, holds/<kind>/<thing> or "
        "hosts/<host>/instances/<service>/<container>:<port>"
    )


def _hold_key(kind: str, thing: str) -> HoldKey | None:
    """Return the key that says who holds a thing; None if there can be no such thing."""
    if kind == "port" and _is_port(thing):
        return HoldKey("port", thing)

    if kind == "name" and SERVICE_NAME.fullmatch(thing):
        return HoldKey("name", thing)

    host, slash, path = thing.partition("/")
    is_path = thing.endswith("/") and PATH_PREFIX.fullmatch(f"/{path}".rstrip("/") or "/")
    if kind == "host" and slash and HOST_NAME.fullmatch(host) and is_path:
        return HoldKey("host", thing)

    return None


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and int(text) <= PORT_MAX
