"""The bare loop that Tandem is compared with: event, inspect, etcd put, watch, HAProxy's runtime API. No safety at all.

No lease, no list, no probe, no check, no file: what such a path costs at least, in the same language.
Run by bench/start.py and bench/stop.py: python -m bench.bare ETCD ADMIN_SOCKET LABEL ADDRESS
"""

import contextlib
import json
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from bench.engine_api import Api, Events, Refused
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

    def __init__(self, etcd: str, admin: Path, label: str, address: str) -> None:
        self._etcd = Access(parse_members(etcd))
        self._admin = admin
        self._label = label
        self._address = address

    def publish(self) -> None:
        """From each event to its key."""
        store, api = Store(self._etcd), Api()
        revisions: dict[str, int] = {}
        for event in Events(self._label, "start", "kill", "die"):
            container, kind = event["id"], event["Action"]
            with contextlib.suppress(Refused):  # it is gone already
                value = self._value(api, container) if kind == "start" else {"state": kind}
                put = Put(
                    PREFIX + container, json.dumps(value).encode(), revisions.get(container, 0)
                )
                revisions[container] = store.write([put], lease=0)

    def follow(self) -> None:
        """From each key to HAProxy."""
        store = Store(self._etcd)
        for batch in store.watch(PREFIX, store.list(PREFIX).revision):
            for event in batch.events:
                self._tell(event)

    def _value(self, api: Api, container: str) -> dict[str, Any]:
        ports = api.inspect(container)["NetworkSettings"]["Ports"]
        bindings = next(iter(ports.values()))
        return {"state": "start", "endpoint": f"{self._address}:{bindings[0]['HostPort']}"}

    def _tell(self, event: Event) -> None:
        if event.entry is None:
            return
        name = f"{BACKEND}/{event.key.rpartition('/')[2][:12]}"
        value = json.loads(event.entry.value)
        match value["state"]:
            case "start":
                self._ask(f"add server {name} {value['endpoint']}; enable server {name}")
            case "kill":
                self._ask(f"set server {name} state drain")
            case "die":
                self._ask(
                    f"disable server {name}; shutdown sessions server {name}; del server {name}"
                )

    def _ask(self, commands: str) -> None:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(5)
            admin.connect(str(self._admin))
            admin.sendall(commands.encode() + b"\n")
            admin.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: admin.recv(4096), b"")).decode().strip()
        print(commands, "->", answer, flush=True)


def main() -> None:
    etcd, admin, label, address = sys.argv[1:]
    bare = Bare(etcd, Path(admin), label, address)
    for job in (bare.publish, bare.follow):
        threading.Thread(target=job, daemon=True).start()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
