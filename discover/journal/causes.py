"""Why an instance went, or is called otherwise: as far as its record and its host say. No I/O."""

from dataclasses import fields

from catalog.records.record import Instance
from discover.snapshot.snapshot import Snapshot

# An older docker-register does not say which.
LEAVING = "stop signal, paused or unhealthy"
DETAIL_MAX = 200
# What changes without anybody having set it, or is told by the kind of line.
_UNTOLD = frozenset({"state", "leaving", "container", "container_port", "service"})
# Why an instance is called again, by why it drained.
_ENDED = {"paused": "unpaused", "unhealthy": "healthy again", "host drained": "host in service"}
_SHOWN = (str, int, type(None))


def why_left(instance: Instance, host: str, catalog: Snapshot, is_leased: bool) -> str:
    """Return why an instance was taken away whose host lives."""
    if instance.state == "draining":
        return instance.leaving or ("host drained" if host in catalog.drained else LEAVING)
    if host in catalog.drained:
        return "host drained"
    return "died" if is_leased else "deleted by hand"


def change_of(before: Instance, after: Instance) -> tuple[str, str, str]:
    """Return what became of an instance, why, and what differs besides its state."""
    detail = _difference(before, after)
    if before.state == after.state:
        if not detail:
            return "drain", after.leaving or LEAVING, ""  # for another reason than before
        return "changed", "its settings", detail
    if after.state == "draining":
        return "drain", after.leaving or LEAVING, detail

    return "undrain", _ENDED.get(before.leaving, "it did not stop"), detail


def _difference(before: Instance, after: Instance) -> str:
    told = []
    for each in fields(Instance):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if each.name in _UNTOLD or old == new:
            continue
        is_short = isinstance(old, _SHOWN) and isinstance(new, _SHOWN)
        told.append(f"{each.name} {old} to {new}" if is_short else each.name)
    return f"{', '.join(told):.{DETAIL_MAX}}"
