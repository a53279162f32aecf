"""Why an instance went, or is called otherwise: as far as its record and its host say. No I/O."""

from collections.abc import Mapping

from catalog.asking.journal import Line
from catalog.records.difference import difference
from catalog.records.record import Instance
from discover.snapshot.departures import Reason
from discover.snapshot.snapshot import Snapshot

# An older docker-register does not say which.
LEAVING = "stop signal, paused or unhealthy"
# Why etcd has it no longer, though nobody deleted it.
LOST: Mapping[Reason, str] = {
    "expired": "lease ended",
    "unreadable": "record unreadable",
    "wiped": "etcd lost it",
    "rewound": "etcd went back",
}
# Why an instance is called again, by why it drained.
_ENDED = {"paused": "unpaused", "unhealthy": "healthy again", "host drained": "host in service"}


def why_left(instance: Instance, host: str, catalog: Snapshot, is_leased: bool) -> str:
    """Return why an instance was taken away whose host lives."""
    if instance.state == "draining":
        return instance.leaving or ("host drained" if host in catalog.drained else LEAVING)
    if host in catalog.drained:
        return "host drained"
    return "died" if is_leased else "deleted by hand"


def change_of(before: Instance, after: Instance) -> tuple[str, str, str]:
    """Return what became of an instance, why, and what differs besides its state."""
    detail = difference(before, after)
    if before.state == after.state:
        if not detail:
            return "drain", after.leaving or LEAVING, ""  # for another reason than before
        return "changed", "its settings", detail
    if after.state == "draining":
        return "drain", after.leaving or LEAVING, detail

    return "undrain", _ENDED.get(before.leaving, "it did not stop"), detail


def line_about(
    what: str,
    instance: Instance,
    host: str,
    revision: int,
    at_ms: int,
    cause: str,
    *,
    detail: str = "",
    own: int = 0,
) -> Line:
    """Return a line about an instance."""
    role = "stub" if instance.role == "stub" else ""
    return Line(
        what=what,
        revision=revision,
        at_ms=at_ms,
        service=instance.service,
        instance=f"{instance.container[:12]}:{instance.container_port}",
        name=instance.container_name,
        host=host,
        cause=cause,
        detail=", ".join(filter(None, (role, detail))),
        own=own,
    )
