"""The bare loop beside Tandem: event, inspect, etcd put, watch, HAProxy's runtime API.

No lease, list, probe, check or file: the least that such a path costs in the same language.
bench/rig/sides.py runs it: python -m bench.bare ETCD ADMIN_SOCKET LABEL ADDRESS
"""

import contextlib
import json
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from bench.rig.engine_api import Api, Events, Refused
from catalog.access import Access, parse_members
from catalog.entries import Event, Put
from catalog.store import Store

PREFIX = "/bare/"
BACKEND = "bare"
CONFIG = """
global
    stats socket {admin} mode 600 level admin
    maxconn 4096
defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    retries 3
    option redispatch 1
listen {backend}
    bind {bind}
    balance roundrobin
    server first {first}
"""


class Bare:
    """Two threads: one from Docker to etcd, one from etcd to HAProxy."""

    def __init__(
        self,
        etcd: str,
        admin: Path,
        label: str,
        address: str,
    ) -> None:
        self._etcd = Access(parse_members(etcd))
        self._admin = admin
        self._label = label
        self._address = address

    def publish(self) -> None:
        """Write a key for each event."""
        store = Store(self._etcd)
        api = Api()
        revisions: dict[str, int] = {}
        for event in Events(self._label, "start", "kill", "die"):
            container = event["id"]
            with contextlib.suppress(Refused):  # the container is gone already
                value = self._value(api, container, event["Action"])
                put = Put(
                    PREFIX + container,
                    json.dumps(value).encode(),
                    revisions.get(container, 0),
                )
                revisions[container] = store.write([put], lease=0)

    def _value(self, api: Api, container: str, action: str) -> dict[str, Any]:
        if action != "start":
            return {"state": action}

        document = api.inspect(container)
        bindings = next(iter(document["NetworkSettings"]["Ports"].values()))
        host_port = bindings[0]["HostPort"]
        return {"state": "start", "endpoint": f"{self._address}:{host_port}"}

    def follow(self) -> None:
        """Tell HAProxy of each key."""
        store = Store(self._etcd)
        listing = store.list(PREFIX)
        for batch in store.watch(PREFIX, listing.revision):
            for event in batch.events:
                self._apply(event)

    def _apply(self, event: Event) -> None:
        if event.entry is None:
            return

        _, _, container = event.key.rpartition("/")
        server = f"{BACKEND}/{container[:12]}"
        value = json.loads(event.entry.value)
        match value["state"]:
            case "start":
                self._ask(f"add server {server} {value['endpoint']}", f"enable server {server}")
            case "kill":
                self._ask(f"set server {server} state drain")
            case "die":
                self._ask(
                    f"disable server {server}",
                    f"shutdown sessions server {server}",
                    f"del server {server}",
                )

    def _ask(self, *commands: str) -> None:
        line = "; ".join(commands)
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(5)
            admin.connect(str(self._admin))
            admin.sendall(line.encode() + b"\n")
            admin.shutdown(socket.SHUT_WR)
            chunks = list(iter(lambda: admin.recv(4096), b""))

        answer = b"".join(chunks).decode().strip()
        print(line, "->", answer, flush=True)


def main() -> None:
    etcd, admin, label, address = sys.argv[1:]
    bare = Bare(etcd, Path(admin), label, address)
    for job in (bare.publish, bare.follow):
        threading.Thread(target=job, daemon=True).start()

    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
