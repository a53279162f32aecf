"""This machine's kernel, and whether services answer at its ports -> findings. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.host_port import host_port
from ctl.view.doctor.finding import Finding, listed

MIGRATE = "net.ipv4.tcp_migrate_req"
UPGRADE = "operations.md#upgrade-a-sidecar"
AWAY = "operations.md#when-a-host-etcd-or-an-engine-fails"
EXPLAIN = "tandem.md#why-is-it-not-called"


@dataclass(frozen=True, slots=True)
class Port:
    """Where a service should answer, and how it speaks."""

    service: str
    host: str
    port: int
    is_http: bool

    @property
    def address(self) -> str:
        """What people call."""
        name = "localhost" if self.host == "127.0.0.1" else self.host
        return host_port(name, self.port)


@dataclass(frozen=True, slots=True)
class Called:
    """One service port as a caller on this machine sees it; `why` tells why it does not answer."""

    service: str
    address: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.address} ({self.service})"


def machine_findings(sysctls: Mapping[str, int | None], *, is_host: bool) -> tuple[Finding, ...]:
    """Return what there is to say of the kernel, where a docker-discover runs on it."""
    if not is_host:
        return (Finding("ok", "no docker-discover runs on this machine: nothing to look at"),)

    value = sysctls.get(MIGRATE)
    lost = "an upgrade of docker-discover may lose a call"
    if value is None:
        return (Finding("warn", f"this kernel has no {MIGRATE}: {lost}", "Linux 5.14", UPGRADE),)
    if not value:
        return (Finding("warn", f"{MIGRATE} is 0: {lost}", f"sysctl -w {MIGRATE}=1", UPGRADE),)
    return (Finding("ok", f"{MIGRATE} is {value}"),)


def own_proxy_findings(explained: Mapping[str, Any] | None) -> tuple[Finding, ...]:
    """Return what this machine's docker-discover says of itself while nobody can be asked."""
    if explained is None:
        return (Finding("ok", "no docker-discover answers at this machine's METRICS"),)

    revision, why = explained.get("revision"), explained.get("not_ready")
    text = f"docker-discover of this machine serves revision {revision}"
    if why:
        return (Finding("warn", f"{text}, and is not ready: {why}", "", AWAY),)
    return (Finding("ok", text),)


def call_findings(called: Sequence[Called], *, is_host: bool) -> tuple[Finding, ...]:
    """Return whether services answer; where no docker-discover runs, nothing is expected."""
    if not called:
        return (Finding("ok", "no service has a port to call"),)
    if not is_host and all(it.why for it in called):
        text = "no docker-discover runs on this machine: its ports are not called"
        return (Finding("ok", text),)
    return tuple(_calls(called))


def _calls(called: Iterable[Called]) -> Iterator[Finding]:
    good = [str(it) for it in called if not it.why]
    if good:
        yield Finding("ok", f"{listed(good)} {'answers' if len(good) == 1 else 'answer'}")
    for it in called:
        if it.why:
            helps = f"tandem explain {it.service}"
            yield Finding("error", f"{it} does not answer: {it.why}", helps, EXPLAIN)
