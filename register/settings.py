"""The registrar's settings, from flags and environment, checked together. No side effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.access import Access
from catalog.errors import Rejected
from catalog.keys import HOST_ID
from catalog.values.reserved_ports import RESERVED, PortSet, port_set
from catalog.values.rules import TEXT
from register.host.acquire import KEEPALIVES_PER_TTL
from register.offer.addresses import checked_host_ip
from register.offer.instances import RegisterMode
from register.offer.naming import ComposeNames
from register.records.host_state import Command
from sidecar.options import (
    COMMAND,
    COMMON,
    Option,
    access_of,
    address_or_off,
    number,
    one_of,
    shown,
    values_of,
)

ABOUT = """Watch the Docker engine of this host and publish the address of every container in etcd,
where docker-discover finds it. Needs the engine's socket and etcd; changes neither containers nor \
images."""

# Kept alive every third, each call with a sixth as its deadline: 0.8 s, enough for a busy etcd.
TTL_MIN_S = 5
TTL_MAX_S = 120  # a host that died is called for so long

DOCKER_TLS = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


def _host_id(text: str) -> str:
    if not HOST_ID.fullmatch(text):
        raise Rejected(f"{text!r:.80} is not an id of letters, digits, dots, _ and -, at most 64")
    return text


def _zone(text: str) -> str:
    if not TEXT.fullmatch(text):
        raise Rejected(f"{text!r:.80} is not printable text of at most 255 characters")
    return text


def _docker_host(text: str) -> str:
    if not text.startswith(("unix://", "tcp://", "http://", "https://")):
        raise Rejected(f"{text!r:.80} is not unix:///path or tcp://host:port")
    return text


OPTIONS = (
    Option(
        "HOST_IP",
        checked_host_ip,
        None,
        "address announced for published ports (default: the route to etcd's)",
    ),
    Option(
        "HOST_ID",
        _host_id,
        None,
        "stable identity of this host (default: machine id, else the engine's name)",
    ),
    Option(
        "DOCKER_HOST",
        _docker_host,
        "unix:///var/run/docker.sock",
        "the Docker engine; a GET-only proxy is enough, "
        "and TLS works as for docker (DOCKER_TLS_VERIFY)",
    ),
    Option(
        "TTL",
        number(TTL_MIN_S, TTL_MAX_S, "seconds"),
        "15",
        "seconds until a dead host's lease expires",
    ),
    Option(
        "REGISTER",
        one_of("published", "labelled"),
        "published",
        "published: every container that publishes a port; "
        "labelled: only those that ask by a label or variable",
    ),
    Option(
        "COMPOSE_NAMES",
        one_of("service", "project"),
        "service",
        "what a compose service without a SERVICE_NAME is called: service, as in db; "
        "project: <project>-<service>, as in shop-db",
    ),
    Option(
        "RESERVED_PORTS",
        port_set,
        RESERVED,
        "service ports that a container gets only if a label or variable asks for them; or off",
    ),
    Option(
        "RESYNC",
        number(1, 3600, "seconds"),
        "30",
        "seconds between full comparisons with the engine and etcd",
    ),
    Option("ZONE", _zone, None, "this host's zone, written into each record"),
    Option(
        "METRICS",
        address_or_off,
        "127.0.0.1:9301",
        "ip:port of /metrics, /healthz, /readyz and /explain, at 127.0.0.1 also on ::1; or off",
    ),
    Option(
        "DRAIN_WAIT",
        number(0, 3600, "seconds"),
        "10",
        "seconds that --drain leaves for open connections to end; "
        "docker-register cannot count HAProxy's",
    ),
    *COMMON,
)
COMMANDS = {
    "drain": (
        "take this host out of service until --undrain: drain its instances, remove them, then exit"
    ),
    "undrain": "put it back into service: its registrar publishes again within TTL/3; then exit",
}


@dataclass(frozen=True, slots=True)
class RegisterSettings:
    """All that can be set; `shown` is for the log, secrets masked."""

    access: Access
    prefix: str
    host_ip: str | None
    host_id: str | None
    docker_host: str
    docker_environ: Mapping[str, str]
    ttl_s: int
    register: RegisterMode
    compose_names: ComposeNames
    reserved_ports: PortSet
    resync_s: int
    drain_wait_s: int
    zone: str
    metrics: tuple[str, int] | None
    log_level: str
    log_format: str
    shown: Mapping[str, str]
    command: Command | None

    @property
    def longest_pause_s(self) -> float:
        """The longest wait before etcd is tried again: the time between two keepalives."""
        return self.ttl_s / KEEPALIVES_PER_TTL


def settings_of(argv: Sequence[str], environ: Mapping[str, str]) -> RegisterSettings:
    """Return the settings. Raises WrongSettings with all mistakes; prints and exits for --help."""
    values: dict[str, Any] = values_of(OPTIONS, "docker-register", ABOUT, argv, environ, COMMANDS)
    return RegisterSettings(
        access=access_of(values),
        prefix=values["ETCD_PREFIX"],
        host_ip=values["HOST_IP"],
        host_id=values["HOST_ID"],
        docker_host=values["DOCKER_HOST"],
        docker_environ={name: environ[name] for name in DOCKER_TLS if name in environ},
        ttl_s=values["TTL"],
        register=values["REGISTER"],
        compose_names=values["COMPOSE_NAMES"],
        reserved_ports=values["RESERVED_PORTS"],
        resync_s=values["RESYNC"],
        drain_wait_s=values["DRAIN_WAIT"],
        zone=values["ZONE"] or "",
        metrics=values["METRICS"],
        log_level=values["LOG_LEVEL"],
        log_format=values["LOG_FORMAT"],
        shown=shown(OPTIONS, values),
        command=values[COMMAND],
    )
