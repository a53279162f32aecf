"""What must be true of a fleet: invariants I3, I4, I5 and I7 of the fault catalogue, as checks for
any test.

I1 (replies only from the right service) is counted by each call of a load: its `lost` names a reply
of another service.
"""

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from types import TracebackType

from catalog.errors import Rejected
from catalog.keys import CONTAINER_SHORT, InstanceKey, parse_key
from lab.etcd import Event
from lab.fleet import Fleet
from lab.host import Host
from lab.process import LabError
from lab.wait import wait_for

PREFIX = "/services"
SETTLED_S = 30.0
LOOK_S = 0.2


# -- I3: Docker, etcd and each HAProxy agree once it is quiet


def in_docker(fleet: Fleet) -> set[InstanceKey]:
    """Return what should be published: each port of each container that runs on a host whose engine
    lives.
    """
    hosts = [host for host in fleet.hosts if host.engine.process.alive]
    return {key for host in hosts for key in _of_engine(host)}


def in_etcd(fleet: Fleet) -> set[InstanceKey]:
    """Return what is published."""
    return instances_of(fleet.instances())


def in_haproxy(host: Host) -> set[tuple[str, str]]:
    """Return service and server name of what a host's HAProxy has in use."""
    return {(server.service, server.name) for server in host.servers().values()}


def drift(fleet: Fleet) -> str:
    """Return how the three differ now; empty if they agree on every host."""
    docker, etcd = in_docker(fleet), in_etcd(fleet)
    said = [_difference("etcd", etcd, docker)]
    wanted = {(key.service, key.name) for key in etcd}
    said += [
        _difference(f"HAProxy of {h.name}", in_haproxy(h), wanted)
        for h in fleet.hosts
        if h.discover.alive
    ]
    return "; ".join(words for words in said if words)


def settle(fleet: Fleet, within_s: float = SETTLED_S) -> None:
    """Return when Docker, etcd and every HAProxy agree (I3).

    Raises LabError with the drift when they do not.
    """

    def agree() -> bool:
        if seen := drift(fleet):
            raise LabError(seen)
        return True

    wait_for(agree, within_s, "Docker, etcd and HAProxy agree")


def instances_of(keys: Iterable[str]) -> set[InstanceKey]:
    """Return the instances among keys of etcd."""
    found: set[InstanceKey] = set()
    for key in keys:
        with contextlib.suppress(Rejected):
            if isinstance(parsed := parse_key(PREFIX, key), InstanceKey):
                found.add(parsed)
    return found


def _of_engine(host: Host) -> set[InstanceKey]:
    found = set()
    for container in host.engine.inspect(*host.engine.running()):
        variables = dict(word.partition("=")[::2] for word in container["Config"]["Env"])
        for port, bindings in (container["NetworkSettings"]["Ports"] or {}).items():
            if bindings and (service := variables.get("SERVICE_NAME")):
                number = int(port.partition("/")[0])
                found.add(
                    InstanceKey(host.name, service, container["Id"][:CONTAINER_SHORT], number)
                )
    return found


def _difference(what: str, seen: Collection[object], wanted: Collection[object]) -> str:
    more = sorted(map(str, set(seen) - set(wanted)))
    less = sorted(map(str, set(wanted) - set(seen)))
    return (
        f"{what} has {more or 'nothing'} too much and lacks {less or 'nothing'}"
        if more or less
        else ""
    )


# -- I5: what was deleted, from etcd's own memory


def deleted(history: Iterable[Event]) -> list[InstanceKey | str]:
    """Return every instance, and every owner key, that was deleted."""
    gone = [event.key for event in history if event.is_delete]
    return [next(iter(instances_of([key])), key) for key in gone]


# -- I4 and I7: what each host's pair showed meanwhile


@dataclass(slots=True)
class Seen:
    """What was seen on one host."""

    revisions: list[int] = field(default_factory=list)  # applied by docker-discover; only changes
    servers: dict[str, bool] = field(default_factory=dict)  # of the last look: name -> up
    left: list[tuple[float, str]] = field(
        default_factory=list
    )  # when and which server went out of use
    down: list[tuple[float, str]] = field(
        default_factory=list
    )  # when and which server's check began to fail


class Witness:
    """Looks at every host five times a second while it is open, from a thread of its own; times are
    monotonic.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness")
        self.seen = {host.name: Seen() for host in fleet.hosts}
        self.error: BaseException | None = None

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self.error and not error:
            raise self.error

    def backwards(self) -> list[str]:
        """I4: return every step of an applied revision that went back."""
        steps = [(name, seen.revisions) for name, seen in self.seen.items()]
        return [
            f"{name}: {a} -> {b}"
            for name, revs in steps
            for a, b in itertools.pairwise(revs)
            if b < a
        ]

    def left_without_cause(self, excused: Collection[str] = ()) -> list[str]:
        """I7: return servers that went out of use though nobody stopped their container; `excused`
        are ids.
        """
        short = {container[:CONTAINER_SHORT] for container in excused}
        left = [(name, server) for name, seen in self.seen.items() for _, server in seen.left]
        return [
            f"{server} on {name}" for name, server in left if server.partition(":")[0] not in short
        ]

    def _run(self) -> None:
        try:
            while not self._stop.wait(LOOK_S):
                for host in self._fleet.hosts:
                    self._look(host, self.seen[host.name])
        except BaseException as error:  # noqa: BLE001  raised again in the test's thread
            self.error = error

    @staticmethod
    def _look(host: Host, seen: Seen) -> None:
        with contextlib.suppress(OSError, LabError, json.JSONDecodeError):
            revision = host.explain().get("revision")
            if revision is not None and seen.revisions[-1:] != [revision]:
                seen.revisions.append(revision)
        with contextlib.suppress(OSError, ValueError):  # HAProxy is gone, or restarts
            now, servers = (
                time.monotonic(),
                {name: server.up for name, server in host.servers().items()},
            )
            seen.left += [(now, name) for name in seen.servers if name not in servers]
            seen.down += [
                (now, name) for name, up in servers.items() if not up and seen.servers.get(name)
            ]
            seen.servers = servers


def reloads(host: Host) -> int:
    """Return how often docker-discover reloaded HAProxy in its lives."""
    return host.discover.log.count("reloaded why=")
