"""The fleet's store: three members, each on a machine of its own, and what can happen to them."""

import base64
import json
import shutil
import threading
import uuid
from collections.abc import Sequence
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
# A busy machine must not make an election of its own: etcd's defaults, 100 and 1000 ms, said aloud.
TIMES = ("--heartbeat-interval", "100", "--election-timeout", "1000")


@dataclass(frozen=True, slots=True)
class Event:
    """One write that etcd remembers; a delete has no value."""

    revision: int
    is_delete: bool
    key: str
    value: str


class Member:
    """One member. `start`, `kill`, `stop` and `wipe` it, `pause` and `resume` it; `machine` has its cable."""

    def __init__(self, wire: Wire, folder: Path, number: int) -> None:
        self.name = f"e{number}"
        self.machine = Machine(wire, folder, self.name, FIRST_NUMBER + number - 1)
        self.folder = folder / self.name
        self.process = Process(self.folder, "etcd", (), folder)

    @property
    def address(self) -> str:
        return self.machine.address

    @property
    def endpoint(self) -> str:
        """`host:port`, as ETCD_HOST wants it."""
        return f"{self.address}:{CLIENT_PORT}"

    @property
    def peer(self) -> str:
        return f"{self.name}=http://{self.address}:{PEER_PORT}"

    def join(self, peers: Sequence[str], token: str) -> None:
        """Say who else is in the cluster; before the first start."""
        client, peer = f"http://{self.endpoint}", f"http://{self.address}:{PEER_PORT}"
        self.process.command = self.machine.namespace.command(
            *("etcd", "--name", self.name, "--data-dir", str(self.folder / "data")),
            *(
                "--listen-client-urls",
                f"{client},http://127.0.0.1:{CLIENT_PORT}",
                "--advertise-client-urls",
                client,
            ),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", ",".join(peers), "--initial-cluster-token", token),
            *TIMES,
        )

    def start(self) -> None:
        """Start it on its data of before, if any; does not wait."""
        self.folder.mkdir(exist_ok=True)
        self.process.start()

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()

    def stop(self) -> None:
        """End it the polite way."""
        self.process.stop()

    def pause(self) -> None:
        """Let it be silent with all its connections open."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def wipe(self) -> None:
        """Forget everything; between kill and start."""
        if self.process.alive:
            raise LabError(f"{self.name} still runs; kill it before wiping it")
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def unplug(self) -> None:
        """Cut its cable."""
        self.machine.unplug()

    def plug_in(self) -> None:
        self.machine.plug_in()


class Cluster:
    """All members; asks go through the wire's namespace, to whoever answers."""

    def __init__(self, wire: Wire, folder: Path, size: int = 3) -> None:
        self.members = [Member(wire, folder, number) for number in range(1, size + 1)]
        self._wire = wire.namespace
        self._token = 0
        self._join()

    @property
    def hosts(self) -> str:
        """What ETCD_HOST is on every host."""
        return ",".join(member.endpoint for member in self.members)

    def start(self) -> None:
        """Start every member that does not run; does not wait."""
        for member in self.members:
            member.start()

    def wait(self, within_s: float = START_S) -> None:
        """Return when each member answers by itself that it is healthy."""
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
            if not member.process.alive:
                continue
            try:
                status = self.status(member)
            except LabError:
                continue
            # Zero is left out: there is no leader.
            if status.get("leader", 0) == status["header"]["member_id"]:
                return member
        raise LabError("no etcd member says that it leads")

    def status(self, member: Member) -> dict[str, Any]:
        """Return what a member says of itself: leader, raftTerm, dbSize, header with cluster and revision."""
        text = self.ctl(
            "endpoint", "status", "--command-timeout=2s", "--write-out=json", members=[member]
        )
        found: dict[str, Any] = json.loads(text)[0]["Status"]
        return found

    def wipe(self) -> None:
        """Lose everything: all members end and start as a new, empty cluster behind the same addresses."""
        for member in self.members:
            member.kill()
        for member in self.members:
            member.wipe()
        self._token += 1
        self._join()
        self.start()

    def ctl(
        self, *arguments: str, members: Sequence[Member] | None = None, timeout_s: float = 15.0
    ) -> str:
        """Run etcdctl and return what it prints. Raises LabError."""
        return self._wire.run(*self.ctl_command(*arguments, members=members), timeout_s=timeout_s)

    def ctl_command(self, *arguments: str, members: Sequence[Member] | None = None) -> list[str]:
        """Return the etcdctl command, to be run on the wire."""
        endpoints = ",".join(member.endpoint for member in members or self.members)
        return ["etcdctl", f"--endpoints={endpoints}", *arguments]

    def entries(self, prefix: str = "/services/") -> dict[str, str]:
        """Return every key under a prefix with its value."""
        return self.read(prefix)[0]

    def read(self, prefix: str = "/services/") -> tuple[dict[str, str], int]:
        """Return every key with its value, and the store's revision, as one linearizable read."""
        document = json.loads(self.ctl("get", "--prefix", prefix, "--write-out=json"))
        entries = {_text(each["key"]): _text(each["value"]) for each in document.get("kvs", ())}
        return entries, int(document["header"]["revision"])

    def history(self, since: int, prefix: str = "/services/") -> list[Event]:
        """Return everything that was written after revision `since`, in order. Raises LabError after a compaction."""
        mark = f"/lab/mark/{uuid.uuid4()}"
        self.ctl("put", mark, "")
        watch = self._wire.popen(
            *self.ctl_command("watch", "--prefix", "/", f"--rev={since + 1}", "--write-out=json")
        )
        timer = threading.Timer(HISTORY_S, watch.kill)
        timer.start()
        events: list[Event] = []
        try:
            for line in watch.stdout or ():
                for event in json.loads(line).get("Events") or ():
                    found = _event(event)
                    if found.key == mark:
                        return events
                    if found.key.startswith(prefix):
                        events.append(found)
        finally:
            timer.cancel()
            timer.join()
            watch.kill()
            watch.communicate()
        raise LabError(f"the history since revision {since} ends before its end")

    def revision(self) -> int:
        """Return the store's revision, which every write moves."""
        return self.read("health")[1]

    def _join(self) -> None:
        for member in self.members:
            member.join([each.peer for each in self.members], f"lab-{self._token}")


def _event(event: dict[str, Any]) -> Event:
    """Read one event as etcdctl prints it: type 1 is DELETE, and PUT is left out (etcd's kv.proto, EventType)."""
    kv = event["kv"]
    return Event(
        int(kv["mod_revision"]),
        bool(event.get("type")),
        _text(kv["key"]),
        _text(kv.get("value", "")),
    )


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode(errors="replace")
