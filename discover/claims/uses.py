"""What services use that only one can have: ports, host names with paths, default names. No I/O."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from catalog.keys import HoldKey
from catalog.records.hold import Hold
from discover.model.http_routes import route_requests
from discover.snapshot.holds import name_key, port_key, route_key
from discover.snapshot.snapshot import Record, Service
from sidecar.memo import MemoByName


class Use(NamedTuple):
    """A thing that is used, and by which holder: a service or, for a default name, an origin."""

    key: HoldKey
    holder: str


UsesByService = Mapping[str, frozenset[Use]]


def uses_of(name: str, service: Service, domain: str) -> frozenset[Use]:
    """Return what one service uses. A port that it was given from PORT_RANGE is none of it."""
    ports = {Use(port_key(port), name) for port in service.ports}
    origins = {Use(name_key(name), origin) for origin in service.origins}
    routes = {
        Use(route_key(request.key), name)
        for request in route_requests(name, service, domain).routes
    }
    return frozenset(ports | origins | routes)


class Uses:
    """What all services use; of services that did not change it is not worked out again."""

    def __init__(self, domain: str) -> None:
        self._memo = MemoByName[Service, frozenset[Use]](
            lambda name, service: uses_of(name, service, domain)
        )

    def of(self, services: Mapping[str, Service]) -> UsesByService:
        """Return what each service uses."""
        return self._memo.get(services)


def is_used(
    key: HoldKey, hold: Hold, service: Service | None, uses: frozenset[Use], domain: str
) -> bool:
    """Whether a holder still uses what it holds, as far as its service's records say.

    A host with another DOMAIN than the one that the hold is for sees no use of it. There, it is
    used while there is the service.
    """
    if service is None:
        return False
    if Use(key, hold.holder) in uses:
        return True
    return hold.domain not in ("", domain)


def domain_of(key: HoldKey, holder: str, domain: str) -> str:
    """Return the DOMAIN that a hold is for: this host's if it is the service's own name there."""
    own_name = f"{holder}.{domain}/"
    return domain if domain and key.kind == "host" and key.thing.startswith(own_name) else ""


def service_of(key: HoldKey, holder: str) -> str:
    """Return the name of the service that a holder is, or is the origin of."""
    return key.thing if key.kind == "name" else holder


def moment(at_s: float) -> str:
    """Return a time of the wall clock as holds have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def age_of_use(use: Use, service: Service) -> int:
    """Return the revision since which a use is there; the oldest record counts."""
    return min(
        (record.created for record in service.records.values() if _is_of(use, record)),
        default=0,
    )


def _is_of(use: Use, record: Record) -> bool:
    match use.key.kind:
        case "port":
            return str(record.instance.service_port) == use.key.thing
        case "name":
            return record.instance.origin == use.holder
        case "host":
            return True
