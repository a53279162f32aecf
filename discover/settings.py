"""The settings of docker-discover, from flags and the environment. Opens nothing."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from catalog.access import Access
from catalog.errors import Rejected
from catalog.records.record import Log
from catalog.values.reserved_ports import PortSet, port_set
from catalog.values.rules import PLAIN_HOST_NAME
from discover.haproxy.old_workers import MEGABYTES
from discover.snapshot.port_claims import PortRange, port_range
from sidecar.options import (
    ARGUMENT,
    COMMAND,
    COMMON,
    Option,
    WrongSettings,
    access_of,
    address,
    address_or_off,
    boolean,
    number,
    one_of,
    readable_file,
    shown,
    values_of,
)

PROGRAM = "docker-discover"
ABOUT = "Watch etcd, render HAProxy's configuration and apply it without losing a request."
Command = Literal["check", "render", "diff", "release", "hand-over"]
COMMANDS = {
    "check": (
        "let HAProxy check TEMPLATE with every kind of service, SNIPPETS and SERVICES, "
        "report what is wrong; then exit"
    ),
    "render": "print the configuration for the current catalog, change nothing; then exit",
    "diff": "print how it differs from the one in STATE_DIR, change nothing; then exit",
    "release": (
        "free a port, a host name (with a path) or a default name that a service without instances "
        "still holds; then exit"
    ),
    "hand-over": "give a port, a host name or a default name to another service; then exit",
}
TAKING = {"release": "THING", "hand-over": "THING=SERVICE"}
TEMPLATE = Path(__file__).parent.parent / "templates" / "haproxy.cfg.j2"


def hosts(text: str) -> tuple[str, ...]:
    """Return the addresses to listen on: IP literals with commas, or `*` alone. Raises Rejected."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if parts == ("*",):
        return parts

    try:
        addresses = tuple(str(ipaddress.ip_address(part.strip("[]"))) for part in parts)
    except ValueError as error:
        raise Rejected(f"{text!r} is not * or IP addresses separated by commas: {error}") from error

    if not addresses:
        raise Rejected(f"{text!r} has no address; write it like 127.0.0.1")
    return tuple(dict.fromkeys(addresses))


def bind_or_off(text: str) -> tuple[str | None, int] | None:
    """Return address and port of `ip:port`, `*:port` or `port`. Raises Rejected.

    Without an address the port listens where BIND says.
    """
    host, _, port = text.strip().rpartition(":")
    if host in ("", "*") and port.isascii() and port.isdigit():
        if not 1 <= int(port) <= 65535:
            raise Rejected(f"{text!r}: a port is a number from 1 to 65535")
        return host or None, int(port)
    return address_or_off(text)


def domain_or_off(text: str) -> str:
    """Return a domain, empty for `off`. Raises Rejected."""
    name = text.strip().strip(".").lower()
    if name == "off":
        return ""
    if not PLAIN_HOST_NAME.fullmatch(name):
        raise Rejected(f"{text!r} is not a domain such as apps.example.com")
    return name


def log_target(text: str) -> tuple[str, int] | None:
    """Return the address of `udp@ip:port`, or None for `stdout`. Raises Rejected."""
    name = text.strip()
    if name.lower() == "stdout":
        return None

    scheme, at, where = name.partition("@")
    if not at or scheme.lower() != "udp":
        raise Rejected(f"{text!r} is neither stdout nor udp@ip:port, such as udp@192.0.2.1:514")
    return address(where)


OPTIONS = (
    Option(
        "BIND",
        hosts,
        None,
        "addresses of all service ports; * for every address "
        "(default: 127.0.0.1, ::1 and the addresses of docker0 and Podman's bridge)",
    ),
    Option(
        "STATS",
        address_or_off,
        "127.0.0.1:1936",
        "HAProxy's own stats page and metrics, at 127.0.0.1 also on ::1; or off",
    ),
    Option(
        "PORT_RANGE",
        port_range,
        "10000-10999",
        "ports for SERVICE_PORT=auto, and for containers whose own port is reserved; "
        "a service keeps the one that it claims in etcd",
    ),
    Option(
        "RESERVED_PORTS",
        port_set,
        "off",
        "ports of this host that no service gets, whatever its record says, such as 22,1000-1023",
    ),
    Option(
        "HOLD_TTL",
        number(10, 86400, "seconds"),
        "600",
        "seconds that a service without instances keeps its ports, host names and default name",
    ),
    Option(
        "HTTP_BIND",
        bind_or_off,
        "off",
        "one port, or ip:port, for all http services, by host name; or off",
    ),
    Option("DOMAIN", domain_or_off, "off", "services are <service>.<DOMAIN> at HTTP_BIND"),
    Option(
        "TEMPLATE",
        Path,
        str(TEMPLATE),
        "the template of haproxy.cfg; an edit applies at once if it is valid",
    ),
    Option(
        "SNIPPETS",
        Path,
        None,
        "your own lines for a service, in <service>.cfg (default: snippets.d beside TEMPLATE)",
    ),
    Option(
        "SERVICES",
        Path,
        None,
        "a YAML file of services outside Docker; an edit applies at once",
    ),
    Option(
        "STATE_DIR",
        Path,
        "/var/lib/tandem",
        "folder of haproxy.cfg and all that must survive a restart",
    ),
    Option(
        "RUN_DIR", Path, "/run/tandem", "HAProxy's sockets: master.sock, admin.sock and pages.sock"
    ),
    Option(
        "ZONE",
        str,
        "",
        "this host's zone: services with LOCALITY call instances in it first",
    ),
    Option(
        "HOST_ID",
        str,
        None,
        "docker-register's HOST_ID of this host, if that was set; for LOCALITY=host",
    ),
    Option(
        "METRICS",
        address_or_off,
        "127.0.0.1:9302",
        "ip:port of /metrics, /healthz, /readyz and /explain, at 127.0.0.1 also on ::1; or off",
    ),
    Option(
        "ACCESS_LOG",
        one_of(*get_args(Log)),
        "errors",
        "which calls HAProxy logs, a line of JSON each, where SERVICE_LOG does not say otherwise: "
        "errors, all or off",
    ),
    Option(
        "ACCESS_LOG_TO",
        log_target,
        "stdout",
        "where to: stdout (HAProxy's standard output), or udp@ip:port for syslog",
    ),
    Option(
        "HEAD_KB",
        number(14, 256, "KB"),
        "14",
        "how long the head of an http request or answer may be; more costs time and memory",
    ),
    Option(
        "OLD_WORKERS_HOURS",
        number(1, 576, "hours"),
        "168",
        "how long connections that a reload left on an old worker of HAProxy may go on",
    ),
    Option(
        "OLD_WORKERS_MB",
        MEGABYTES,
        None,
        "memory that old workers may take together; above it the oldest is ended "
        "(default: a tenth of the machine's memory, or half of the container's limit if less)",
    ),
    Option("HAPROXY", str, "haproxy", "HAProxy's program, by name or path"),
    Option(
        "HAPROXY_SUPERVISED",
        boolean,
        "false",
        "true: a supervisor starts and restarts HAProxy",
    ),
    Option(
        "CATALOG",
        readable_file,
        None,
        "for --render and --diff: "
        "a file with the output of `etcdctl get --prefix <ETCD_PREFIX> -w json`, "
        "read instead of etcd",
    ),
    *COMMON,
)


@dataclass(frozen=True, slots=True)
class DiscoverSettings:
    """Everything that docker-discover can be told."""

    access: Access
    prefix: str
    # None: loopback, and the Docker bridge's gateway while there is one.
    hosts: tuple[str, ...] | None
    stats: tuple[str, int] | None
    port_range: PortRange
    reserved_ports: PortSet
    hold_ttl_s: int
    http_bind: tuple[str | None, int] | None  # without an address: where service ports listen
    domain: str
    template: Path
    snippets: Path
    services: Path | None
    state_dir: Path
    run_dir: Path
    metrics: tuple[str, int] | None
    head_kb: int
    old_workers_hours: int
    old_workers_mb: int | None
    haproxy: str
    supervised: bool
    log_level: str
    log_format: str
    shown: Mapping[str, str]
    zone: str
    host_id: str | None
    access_log: Log
    access_log_to: tuple[str, int] | None
    catalog: Path | None
    command: Command | None
    argument: str


def settings_of(argv: Sequence[str], environ: Mapping[str, str]) -> DiscoverSettings:
    """Return the settings; a flag beats a variable, which beats the default.

    Raises WrongSettings with all mistakes.
    """
    values = values_of(OPTIONS, PROGRAM, ABOUT, argv, environ, COMMANDS, TAKING)
    if values["DOMAIN"] and not values["HTTP_BIND"]:
        raise WrongSettings(["DOMAIN: needs HTTP_BIND, which is off; set HTTP_BIND=80"])

    return DiscoverSettings(
        access=access_of(values),
        prefix=values["ETCD_PREFIX"],
        hosts=values["BIND"],
        stats=values["STATS"],
        port_range=values["PORT_RANGE"],
        reserved_ports=values["RESERVED_PORTS"],
        hold_ttl_s=values["HOLD_TTL"],
        http_bind=values["HTTP_BIND"],
        domain=values["DOMAIN"],
        template=values["TEMPLATE"],
        snippets=values["SNIPPETS"] or values["TEMPLATE"].with_name("snippets.d"),
        services=values["SERVICES"],
        state_dir=values["STATE_DIR"],
        run_dir=values["RUN_DIR"],
        metrics=values["METRICS"],
        head_kb=values["HEAD_KB"],
        old_workers_hours=values["OLD_WORKERS_HOURS"],
        old_workers_mb=values["OLD_WORKERS_MB"],
        haproxy=values["HAPROXY"],
        supervised=values["HAPROXY_SUPERVISED"],
        log_level=values["LOG_LEVEL"],
        log_format=values["LOG_FORMAT"],
        shown=shown(OPTIONS, values),
        zone=values["ZONE"],
        host_id=values["HOST_ID"],
        access_log=values["ACCESS_LOG"],
        access_log_to=values["ACCESS_LOG_TO"],
        catalog=values["CATALOG"],
        command=values[COMMAND],
        argument=values[ARGUMENT] or "",
    )
