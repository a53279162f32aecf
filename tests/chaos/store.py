"""Faults of etcd (rows 23 to 29, 35 to 40): members, quorum, everything lost, keys deleted, garbage
written.
"""

import json
from dataclasses import dataclass

from lab.etcd import Member
from tests.chaos.fault import Fault
from tests.chaos.world import World

OTHER_MEMBER_S = 2.0
COMPARED_S = 60.0
REPAIRED_S = 2.0
NOTICED_S = 10.0  # at the next keepalive, a third of the lease
GARBAGE = (
    "not json", "", "[]", "null", '{"v":1}', '{"v":99,"service":"web"}', "[" * 5000,
    '{"v":1,"port":NaN}',
    '{"v":1,"service":"a\\n  bind *:22","address":"10.0.0.1","port":80,"service_port":22}',
    '{"v":1,"service":"{{7*7}}","address":"10.0.0.1","port":"80;","service_port":8001}',
    "x" * 100_000,
)  # fmt: skip


def member_of(world: World, name: str) -> Member:
    return next(member for member in world.fleet.etcd.members if member.name == name)


@dataclass(frozen=True)
class MemberKilled(Fault):
    """One etcd member dies. Nobody sees anything."""

    rows = (25,)
    group = "store"
    member: str
    seconds: float

    def strike(self, world: World) -> None:
        member_of(world, self.member).kill()
        world.wait(self.seconds)


@dataclass(frozen=True)
class MemberSilent(Fault):
    """One etcd member accepts and never answers.

    Nobody sees anything, and a new container is still found.
    """

    rows = (24, 25)
    group = "store"
    lasts_s = (3, 12)
    host: str
    member: str
    service: str
    seconds: float

    def strike(self, world: World) -> None:
        member_of(world, self.member).pause()
        added = world.run(world.service(self.service), world.host(self.host))
        world.measure("a new container is called", 15, lambda: world.is_called_everywhere(added))
        world.wait(self.seconds)


@dataclass(frozen=True)
class MemberCutOff(Fault):
    """One etcd member loses its cable, and takes connections with it that look alive.

    Nobody sees anything.
    """

    rows = (24, 25)
    group = "store"
    lasts_s = (5, 15)
    member: str
    seconds: float

    def strike(self, world: World) -> None:
        member_of(world, self.member).unplug()
        world.wait(self.seconds)


@dataclass(frozen=True)
class LeaderKilled(Fault):
    """The etcd leader dies. Nobody sees anything, no lease is lost."""

    rows = (26,)
    group = "store"
    seconds: float

    def strike(self, world: World) -> None:
        world.fleet.etcd.leader().kill()
        world.wait(self.seconds)


@dataclass(frozen=True)
class QuorumKilled(Fault):
    """Two etcd members die, or all three.

    Callers see nothing; what changes meanwhile is known once etcd is back.
    """

    rows = (27,)
    group = "store"
    lasts_s = (5, 30)
    how_many: int
    seconds: float

    def strike(self, world: World) -> None:
        for member in world.fleet.etcd.members[: self.how_many]:
            member.kill()
        world.wait(self.seconds)


@dataclass(frozen=True)
class QuorumSilent(Fault):
    """Two etcd members hang, or all three. Callers see nothing."""

    rows = (27,)
    group = "store"
    lasts_s = (5, 30)
    loses_records = (
        True  # a leader that wakes finds the leases over that nobody could keep alive meanwhile
    )
    how_many: int
    seconds: float

    def strike(self, world: World) -> None:
        for member in world.fleet.etcd.members[: self.how_many]:
            member.pause()
        world.wait(self.seconds)


@dataclass(frozen=True)
class StoreWiped(Fault):
    """etcd loses everything and starts as another, empty cluster.

    Callers see nothing; each host writes anew.
    """

    rows = (35,)
    group = "store"
    well_s = 60.0
    loses_records = True
    new_store = True

    def strike(self, world: World) -> None:
        world.fleet.etcd.wipe()
        world.wait(2)


@dataclass(frozen=True)
class PrefixDeleted(Fault):
    """Somebody deletes all under the prefix. Callers see nothing; each host writes anew at once."""

    rows = (36,)
    group = "store"
    loses_records = True

    def strike(self, world: World) -> None:
        before = set(world.fleet.instances())
        world.fleet.etcd.ctl("del", "--prefix", "/services/")
        world.measure(
            "all is written anew", REPAIRED_S, lambda: set(world.fleet.instances()) == before
        )


@dataclass(frozen=True)
class RecordDeleted(Fault):
    """Somebody deletes the record of a container that runs.

    It is called no more, until its host compares (RESYNC).
    """

    rows = (23,)
    group = "store"
    loses_records = True
    host: str
    service: str

    def strike(self, world: World) -> None:
        container = world.container(self.service, self.host)
        world.ended.add(container)
        keys = [key for key in world.fleet.instances() if container[:12] in key]
        world.fleet.etcd.ctl("del", keys[0])
        world.measure(
            "all hosts call it", COMPARED_S, lambda: world.is_called_everywhere(container)
        )


@dataclass(frozen=True)
class LeaseRevoked(Fault):
    """Somebody revokes a host's lease.

    Its containers stay called, as their checks pass, until it writes anew.
    """

    rows = (23, 43)
    group = "store"
    loses_records = True
    host: str

    def strike(self, world: World) -> None:
        before = set(world.fleet.instances())
        text = world.fleet.etcd.ctl(
            "get", f"/services/v1/hosts/{self.host}/owner", "--write-out=json"
        )
        lease = json.loads(text)["kvs"][0]["lease"]
        world.fleet.etcd.ctl("lease", "revoke", f"{lease:x}")
        world.measure(
            "all is written anew", NOTICED_S, lambda: set(world.fleet.instances()) == before
        )


@dataclass(frozen=True)
class GarbageWritten(Fault):
    """Somebody writes records that are none: broken, hostile, of a version to come.

    Nobody sees anything.
    """

    rows = (37, 38, 40)
    group = "store"
    host: str
    seconds: float

    def strike(self, world: World) -> None:
        for number, text in enumerate(GARBAGE):
            world.fleet.etcd.ctl("put", self._key(number), "--", text)
        world.wait(self.seconds)

    def heal(self, world: World) -> None:
        for number in range(len(GARBAGE)):
            world.fleet.etcd.ctl("del", self._key(number))

    def _key(self, number: int) -> str:
        return f"/services/v1/hosts/{self.host}x/instances/web/{number:012x}:8000"


@dataclass(frozen=True)
class Compacted(Fault):
    """etcd forgets its history and defragments each member. Nobody sees anything."""

    rows = (29,)
    group = "store"

    def strike(self, world: World) -> None:
        world.fleet.etcd.ctl("compact", str(world.fleet.etcd.revision()))
        for member in world.fleet.etcd.members:
            world.fleet.etcd.ctl("defrag", members=[member])
