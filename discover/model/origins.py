"""Which records of a service have its name by chance, and are hidden. No I/O.

A record that was told the name of its service has no origin, and joins any. Of records that got
the name by default, those of one origin have it: the one that holds it, else the oldest.
"""

from collections.abc import Mapping

from catalog.records.origin import label_to_add
from discover.reasons import because
from discover.snapshot.belongs import Holds
from discover.snapshot.holds import name_key, told
from discover.snapshot.snapshot import Record, Service
from sidecar.status.problems import Problem


def one_origin_per_name(
    services: Mapping[str, Service], holds: Holds, problems: dict[str, Problem]
) -> Mapping[str, Service]:
    """Return the services without the records that share their name by chance.

    A service that loses none is the same object.
    """
    kept = dict(services)
    for name, service in services.items():
        if not service.origins:
            continue

        held = holds.get(name_key(name))
        origin = held.holder if held else _oldest_origin(service)
        if service.origins == {origin}:
            continue

        left = {key: it for key, it in service.records.items() if _belongs(it, origin)}
        kept[name] = Service.of(left)
        for key in service.records.keys() - left.keys():
            problems[key] = _name_taken(service.records[key], f"{origin}{told(held)}")

    return kept


def _belongs(record: Record, origin: str) -> bool:
    return record.instance.origin in ("", origin)


def _oldest_origin(service: Service) -> str:
    named = [(it.created, key, it) for key, it in service.records.items() if it.instance.origin]
    return min(named)[2].instance.origin


def _name_taken(record: Record, holder: str) -> Problem:
    instance = record.instance
    label = label_to_add(instance.origin, instance.service, instance.container_port)
    text = (
        f"hidden: the name {instance.service} belongs to {holder}, and this is {instance.origin}; "
        f"add {label}, or SERVICE_NAME={instance.service} to join it"
    )
    return because("NAME_TAKEN", text)
