"""Decide which of HAProxy's servers to ask about suspects, and what their checks prove. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from discover.haproxy.replies import DISABLED_IN_FILE, rows_of
from discover.model.proxy_config import NO_PORT, ServicePort, listener_name
from discover.snapshot.belongs import Claim
from discover.snapshot.suspects import CheckResult, Suspects
from discover.text.slots import Seats

# src/proxy.c of HAProxy, "show servers state"; the numbers are in its management manual, section
# 9.3.
_COLUMNS = (
    "be_name",
    "srv_name",
    "srv_op_state",
    "srv_admin_state",
    "srv_check_result",
    "srv_check_state",
)
STOPPED = 0
PASSED = 3
ENABLED = 0x04
MANY = 50  # questions, which fit on one line


@dataclass(frozen=True, slots=True)
class Places:
    """Where instances are in HAProxy."""

    # The backends of services that only the door leads to, by service and service port.
    backends: Mapping[ServicePort, str] = field(default_factory=dict)
    # The slots of a listener by its name.
    seats: Mapping[str, Seats] = field(default_factory=dict)

    def of(self, service: str, port: int, instance: str) -> tuple[str, str]:
        """Return the proxy and the server of an instance."""
        proxy = self.backends.get((service, port)) or listener_name(service, port)
        seats = self.seats.get(proxy)
        return proxy, seats.slots.get(instance, instance) if seats else instance


NOWHERE = Places()
Claims = Mapping[str, Claim]
Keys = Mapping[tuple[str, str], str]  # of suspects, by proxy and server


def questions(suspects: Suspects, claims: Claims, places: Places = NOWHERE) -> Iterable[str]:
    """Return the questions: for each listener with a suspect, or for all if they are many."""
    servers = _keys(suspects, claims, places)
    proxies = sorted({proxy for proxy, _server in servers})
    if len(proxies) > MANY:
        return ["show servers state"]
    return [f"show servers state {proxy}" for proxy in proxies]


def results_of(
    answers: str, suspects: Suspects, claims: Claims, places: Places = NOWHERE
) -> Mapping[str, CheckResult]:
    """Return what the answers say about each suspect that was found and checked."""
    keys = _keys(suspects, claims, places)
    results: dict[str, CheckResult] = {}

    for proxy, server, *states in rows_of(answers, *_COLUMNS):
        key = keys.get((proxy, server))
        found = _result(*states) if key is not None else None
        if key is not None and found is not None:
            results[key] = found

    return results


def _keys(suspects: Suspects, claims: Claims, places: Places) -> Keys:
    """Return the suspects' keys by the proxy and server that each is."""
    keys: dict[tuple[str, str], str] = {}

    for key, suspect in suspects.items():
        record = suspect.record
        service = record.key.service
        port = record.instance.service_port
        if port is None:
            claim = claims.get(service)
            # Without a claim it is reached by its host name only.
            port = claim.port if claim is not None else NO_PORT

        keys[places.of(service, port, record.key.name)] = key

    return keys


def _result(operation: str, admin: str, result: str, check: str) -> CheckResult | None:
    numbers = (operation, admin, result, check)
    if not all(number.isdigit() for number in numbers) or int(admin) & ~DISABLED_IN_FILE:
        return None

    if not int(check) & ENABLED:
        return "unchecked"
    if int(operation) == STOPPED:
        return "failing"
    return "passing" if int(result) >= PASSED else None
