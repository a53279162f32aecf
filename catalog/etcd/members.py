"""What etcd says of itself, member by member: who answers, how fast, its space and its alarms.

For people that look after it; neither sidecar asks this.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from catalog.access import Access, Member, parse_members
from catalog.errors import Rejected
from catalog.etcd.connection import CallFailed, Connection
from catalog.etcd.library import etcdrpc
from catalog.members_seen import ClusterSeen, MemberSeen

ALARMS = {1: "NOSPACE", 2: "CORRUPT"}  # rpc.proto, AlarmType
MEMBERS_MAX = 32  # whoever lists more is no etcd


@dataclass(frozen=True, slots=True)
class _Told:
    """What one member says of itself and of all."""

    seen: MemberSeen
    listed: tuple[Any, ...] = ()
    alarms: frozenset[tuple[int, str]] = frozenset()


def look_at(access: Access, deadline_s: float) -> ClusterSeen:
    """Ask every member that is named, and then those that these know of. Raises nothing."""
    told = _all(access, access.members, deadline_s)
    reached = {each.seen.id for each in told}

    listed = {it.ID: it for each in told for it in each.listed}
    others: dict[Member, int] = {}
    for id_, it in sorted(listed.items())[:MEMBERS_MAX]:
        if id_ not in reached:
            others |= dict.fromkeys(_addresses(it.clientURLs), id_)
    # One that is named and does not answer has told no id, and is not asked again.
    others = {member: id_ for member, id_ in others.items() if member not in access.members}

    # What answers there may be another one: clients may be told an address like localhost.
    also = [it for it in _all(access, others, deadline_s) if it.seen.why or it.seen.id in listed]
    also = [it for it in also if it.seen.why or it.seen.id not in reached]
    every = (*told, *also)
    return ClusterSeen(
        tuple(each.seen for each in every),
        {id_: it.name for id_, it in listed.items()},
        tuple(sorted(frozenset().union(*(each.alarms for each in every)))),
    )


def _addresses(urls: Iterable[str]) -> Iterable[Member]:
    for url in urls:
        try:
            yield from parse_members(url)
        except Rejected:
            continue


def _all(access: Access, members: Iterable[Member], deadline_s: float) -> list[_Told]:
    wanted = tuple(members)
    if not wanted:
        return []
    with ThreadPoolExecutor(len(wanted), thread_name_prefix="etcd-members") as pool:
        return list(pool.map(lambda it: _told(access, it, deadline_s), wanted))


def _told(access: Access, member: Member, deadline_s: float) -> _Told:
    try:
        connection = Connection(access, member, deadline_s)
    except OSError as error:
        return _Told(MemberSeen(str(member), str(error)))
    try:
        return _asked(connection)
    except CallFailed as failure:
        return _Told(MemberSeen(str(member), str(failure), failure.is_refusal))
    finally:
        connection.close()


def _asked(connection: Connection) -> _Told:
    """Ask one member. Raises CallFailed."""
    maintenance = connection.stub(etcdrpc.MaintenanceStub)
    cluster = connection.stub(etcdrpc.ClusterStub)
    connection.log_in()
    status = connection.call(maintenance.Status, etcdrpc.StatusRequest())
    asked_s = time.monotonic()
    why = _failure(connection)
    seen = MemberSeen(
        address=str(connection.member),
        why=f"it runs, but cannot read: {why}" if why else "",
        id=status.header.member_id,
        cluster=status.header.cluster_id,
        took_s=time.monotonic() - asked_s,
        version=status.version,
        size_bytes=status.dbSize,
        used_bytes=status.dbSizeInUse,
        quota_bytes=status.dbSizeQuota,
        leader=status.leader,
    )
    if why:
        return _Told(seen)  # what it says of others needs a quorum as well

    listed = connection.call(cluster.MemberList, etcdrpc.MemberListRequest()).members
    alarms = connection.call(maintenance.Alarm, etcdrpc.AlarmRequest()).alarms
    raised = ((it.memberID, ALARMS.get(it.alarm, str(it.alarm))) for it in alarms)
    return _Told(seen, tuple(listed), frozenset(raised))


def _failure(connection: Connection) -> str:
    """Return why a member cannot read with a quorum; empty if it can."""
    try:
        connection.prove()
    except CallFailed as failure:
        return str(failure)
    return ""
