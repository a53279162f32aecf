"""etcd's members, their speed, space, alarms and versions -> findings. No I/O."""

from collections.abc import Iterator, Mapping, Sequence

from catalog.members_seen import ClusterSeen, MemberSeen
from ctl.view.doctor.finding import Finding, Level, listed

QUOTA_BYTES = 2 * 1024**3  # etcd's own default of --quota-backend-bytes
NEARLY_FULL = 0.75
# A keepalive is due every 5 s; reads that take this long leave little of it for a busy moment.
SLOW_S = 0.5
ALARM_HELPS: Mapping[str, str] = {
    "NOSPACE": "etcdctl compact, then etcdctl defrag, then etcdctl alarm disarm",
    "CORRUPT": "replace that member: its data differs from the others'",
}
FULL = "faults.md#30-etcd-is-full-nospace"
ONE_DOWN = "faults.md#25-one-etcd-member-is-down"
ALL_DOWN = "faults.md#27-no-quorum-or-no-etcd-at-all"
RIGHTS = "operations.md#protect-etcd"


def etcd_findings(seen: ClusterSeen) -> tuple[Finding, ...]:
    """Return what there is to say of etcd."""
    good = [it for it in seen.members if not it.why]
    return (
        *_of_members(seen, good),
        *_of_clusters(good),
        *_of_alarms(seen),
        *_of_space(good),
        *_of_versions(good),
    )


def _of_members(seen: ClusterSeen, good: Sequence[MemberSeen]) -> Iterator[Finding]:
    level: Level = "warn" if good else "error"
    for it in seen.members:
        if it.refused:
            helps = "give this user the role root, or ask with one that has it"
            yield Finding("warn", f"{it.address} tells this user nothing: {it.why}", helps, RIGHTS)
        elif it.why:
            docs = ONE_DOWN if good else ALL_DOWN
            helps = "start it, or correct ETCD_HOST"
            yield Finding(level, f"{it.address} does not answer: {_short(it.why)}", helps, docs)
    if not good:
        return

    leader = _name(seen, next((it.leader for it in good if it.leader), 0))
    took = ", ".join(f"{1000 * it.took_s:.1f}" for it in good)
    text = f"{len(good)} of {len(seen.members)} members answer ({took} ms)"
    yield Finding("ok", f"{text}, leader {leader}" if leader else text)
    for it in good:
        if it.took_s > SLOW_S:
            helps = "give etcd a faster disk, or a machine of its own"
            docs = "faults.md#31-etcd-takes-seconds-for-each-request"
            yield Finding("warn", f"{it.address} takes {it.took_s:.1f} s for a read", helps, docs)


def _of_clusters(good: Sequence[MemberSeen]) -> Iterator[Finding]:
    if len({it.cluster for it in good}) > 1:
        addresses = listed([it.address for it in good])
        text = f"{addresses} are members of different clusters: hosts see different services"
        yield Finding("error", text, "name members of one cluster in ETCD_HOST", RIGHTS)


def _of_alarms(seen: ClusterSeen) -> Iterator[Finding]:
    for id_, alarm in seen.alarms:
        why = "nothing can be written" if alarm == "NOSPACE" else "its data cannot be trusted"
        text = f"alarm {alarm} of {_name(seen, id_) or f'{id_:x}'}: {why}"
        yield Finding("error", text, ALARM_HELPS.get(alarm, "etcdctl alarm list"), FULL)


def _of_space(good: Sequence[MemberSeen]) -> Iterator[Finding]:
    if not any(it.size_bytes for it in good):
        return
    largest = max(good, key=lambda it: it.size_bytes / (it.quota_bytes or QUOTA_BYTES))
    quota = largest.quota_bytes or QUOTA_BYTES
    text = f"database of {_mib(largest.size_bytes)} MiB"
    text += f", {_mib(largest.used_bytes)} in use" if largest.used_bytes else ""
    text += f"; {_mib(quota)} is the most"
    text += "" if largest.quota_bytes else ", unless etcd was told otherwise"
    if largest.size_bytes > NEARLY_FULL * quota:
        yield Finding("warn", text, "etcdctl compact, then etcdctl defrag", FULL)
    else:
        yield Finding("ok", text)


def _of_versions(good: Sequence[MemberSeen]) -> Iterator[Finding]:
    versions = sorted({it.version for it in good if it.version})
    if len(versions) > 1:
        text = f"members run different versions: {', '.join(versions)}"
        yield Finding("warn", text, "finish the upgrade of etcd")
    elif versions:
        yield Finding("ok", f"version {versions[0]}")


def _name(seen: ClusterSeen, id_: int) -> str:
    return seen.names.get(id_, f"{id_:x}" if id_ else "")


def _short(why: str) -> str:
    """Return what a person needs of grpc's words for a failed connection: the last of them."""
    return why.rpartition(": ")[2] if "last error" in why else why


def _mib(size: int) -> str:
    mib = size / 1024**2
    return f"{mib:.0f}" if mib >= 10 else f"{mib:.1f}"
