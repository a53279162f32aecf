"""The fleet's store: three etcd members, each on a machine of its own, and their faults."""

import base64
import contextlib
import json
import shutil
import threading
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.network import Machine, Wire
from lab.process import LabError, Process
from lab.wait import wait_for

CLIENT_PORT, PEER_PORT = 2379, 2380
FIRST_NUMBER = 21
HISTORY_S = 30.0
START_S = 60.0  # a second on a free machine
# etcd's defaults, written out: a busy machine must not cause elections.
TIMES = ("--heartbeat-interval=100", "--election-timeout=1000")


@dataclass(frozen=True, slots=True)
class Event:
    """One write in etcd's history; a delete has no value."""

    revision: int
    is_delete: bool
    key: str
    value: str


class Member:
    """One member, and the machine with its cable."""

    def __init__(self, wire: Wire, folder: Path, number: int) -> None:
        self.name = f"e{number}"
        address_number = FIRST_NUMBER + number - 1
        self.machine = Machine(wire, folder, self.name, address_number)
        self.folder = folder / self.name
        self.process = Process(self.folder, "etcd", (), folder)

    @property
    def address(self) -> str:
        return self.machine.address

    @property
    def endpoint(self) -> str:
        """`host:port`, as ETCD_HOST has it."""
        return f"{self.address}:{CLIENT_PORT}"

    @property
    def peer(self) -> str:
        return f"{self.name}=http://{self.address}:{PEER_PORT}"

    def join(self, peers: Sequence[str], token: str) -> None:
        """Set the members of its cluster; before the first start."""
        client_url = f"http://{self.endpoint}"
        peer_url = f"http://{self.address}:{PEER_PORT}"
        self.process.command = self.machine.namespace.command(
            "etcd",
            f"--name={self.name}",
            f"--data-dir={self.folder / 'data'}",
            f"--listen-client-urls={client_url},http://127.0.0.1:{CLIENT_PORT}",
            f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster={','.join(peers)}",
            f"--initial-cluster-token={token}",
            *TIMES,
        )

    def start(self) -> None:
        """Start it without waiting, on its earlier data if there is any."""
        self.folder.mkdir(exist_ok=True)
        self.process.start()

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()

    def stop(self) -> None:
        """End it with SIGTERM."""
        self.process.stop()

    def pause(self) -> None:
        """Silence it with all its connections open."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def wipe(self) -> None:
        """Delete its data; between kill and start."""
        if self.process.alive:
            raise LabError(f"{self.name} still runs; kill it before wiping it")

        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def unplug(self) -> None:
        """Cut its cable."""
        self.machine.unplug()

    def plug_in(self) -> None:
        self.machine.plug_in()


class Cluster:
    """All members; requests come from the wire's namespace, and any member may answer."""

    def __init__(self, wire: Wire, folder: Path, size: int = 3) -> None:
        numbers = range(1, size + 1)
        self.members = [Member(wire, folder, number) for number in numbers]
        self._wire = wire.namespace
        self._token = 0
        self._join()

    @property
    def hosts(self) -> str:
        """The value of ETCD_HOST on every host."""
        return ",".join(member.endpoint for member in self.members)

    def start(self) -> None:
        """Start every member that does not run, without waiting."""
        for member in self.members:
            member.start()

    def wait(self, within_s: float = START_S) -> None:
        """Return when each member answers."""
        for member in self.members:
            answers = partial(self.answers, member)
            wait_for(answers, within_s, f"etcd member {member.name} answers")

    def answers(self, member: Member) -> bool:
        """Whether a member can read what a quorum agrees on."""
        self.ctl("get", "health", "--command-timeout=2s", members=[member])
        return True

    def leader(self) -> Member:
        """Return the leader. Raises LabError while there is none."""
        for member in self.members:
            if member.process.alive and self._is_leader(member):
                return member

        raise LabError("no etcd member is the leader")

    def _is_leader(self, member: Member) -> bool:
        try:
            status = self.status(member)
        except LabError:
            return False

        # etcdctl omits a zero, which means that there is no leader.
        leader: int = status.get("leader", 0)
        member_id: int = status["header"]["member_id"]
        return leader == member_id

    def status(self, member: Member) -> dict[str, Any]:
        """Return a member's status: leader, raftTerm, dbSize, header with cluster and revision."""
        text = self.ctl(
            "endpoint",
            "status",
            "--command-timeout=2s",
            "--write-out=json",
            members=[member],
        )
        [endpoint] = json.loads(text)
        status: dict[str, Any] = endpoint["Status"]
        return status

    def wipe(self) -> None:
        """Lose everything: all members restart as a new, empty cluster at the same addresses."""
        for member in self.members:
            member.kill()
        for member in self.members:
            member.wipe()

        self._token += 1
        self._join()
        self.start()

    def ctl(
        self,
        *arguments: str,
        members: Sequence[Member] | None = None,
        timeout_s: float = 15.0,
    ) -> str:
        """Run etcdctl and return its output. Raises LabError."""
        command = self.ctl_command(*arguments, members=members)
        return self._wire.run(*command, timeout_s=timeout_s)

    def ctl_command(
        self,
        *arguments: str,
        members: Sequence[Member] | None = None,
    ) -> list[str]:
        """Return the etcdctl command, to be run on the wire."""
        endpoints = [member.endpoint for member in members or self.members]
        return ["etcdctl", f"--endpoints={','.join(endpoints)}", *arguments]

    def entries(self, prefix: str = "/services/") -> dict[str, str]:
        """Return every key under a prefix with its value."""
        entries, _ = self.read(prefix)
        return entries

    def read(self, prefix: str = "/services/") -> tuple[dict[str, str], int]:
        """Return every key with its value, and the store's revision, as one linearizable read."""
        text = self.ctl("get", "--prefix", prefix, "--write-out=json")
        document = json.loads(text)
        entries = {}
        for kv in document.get("kvs", ()):
            key = _decoded(kv["key"])
            entries[key] = _decoded(kv["value"])

        return entries, int(document["header"]["revision"])

    def history(self, since: int, prefix: str = "/services/") -> list[Event]:
        """Return everything that was written after revision `since`, in order.

        Raises LabError after a compaction.
        """
        mark = f"/lab/mark/{uuid.uuid4()}"
        self.ctl("put", mark, "")  # the history ends here

        found: list[Event] = []
        with contextlib.closing(self._events_from(since + 1)) as events:
            for event in events:
                if event.key == mark:
                    return found

                if event.key.startswith(prefix):
                    found.append(event)
        raise LabError(f"the history since revision {since} was cut off")

    def _events_from(self, revision: int) -> Generator[Event, None, None]:
        """Watch from a revision on, for HISTORY_S at most."""
        watch = self._wire.popen(
            *self.ctl_command("watch", "--prefix", "/", f"--rev={revision}", "--write-out=json")
        )
        timer = threading.Timer(HISTORY_S, watch.kill)
        timer.start()
        try:
            for line in watch.stdout or ():
                for event in json.loads(line).get("Events") or ():
                    yield _event(event)
        finally:
            timer.cancel()
            timer.join()
            watch.kill()
            watch.communicate()

    def revision(self) -> int:
        """Return the store's revision, which every write moves."""
        _, revision = self.read("health")
        return revision

    def _join(self) -> None:
        peers = [member.peer for member in self.members]
        for member in self.members:
            member.join(peers, f"lab-{self._token}")


def _event(document: dict[str, Any]) -> Event:
    """Parse an event of etcdctl: type 1 is DELETE, PUT is omitted (etcd's kv.proto, EventType)."""
    kv = document["kv"]
    return Event(
        revision=int(kv["mod_revision"]),
        is_delete=bool(document.get("type")),
        key=_decoded(kv["key"]),
        value=_decoded(kv.get("value", "")),
    )


def _decoded(encoded: str) -> str:
    return base64.b64decode(encoded).decode(errors="replace")
