"""Which ports of this host others have or want: HAProxy keeps off them, also right after a boot.

docker-register says which ports the containers of this host have. It may start later than HAProxy,
and Docker starts a container once: so what it said last holds until it speaks again. What other
programs held in an earlier life is left to them for a while too: sshd may start after HAProxy.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from catalog.host_port import host_port
from catalog.records.host_ports import HostPort, decode, encode
from discover.model.proxy_config import Bind, HostPolicy, Yielded
from sidecar.atomic_files import StateFile

# A boot starts everything in less; and a registrar tells what it knows as soon as it has its lease.
RECALLED_S = 60.0
RECALLED = "another program held the port before docker-discover started"


class Said(NamedTuple):
    """What etcd has of this host: its ports, and when its registrar took it; None: no such key."""

    ports: tuple[HostPort, ...] | None
    owner: int | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the file keeps."""

    containers: tuple[HostPort, ...] = ()
    programs: frozenset[Bind] = frozenset()


class HostPorts:
    """Used by the reconcile actor alone. Without a path, nothing is kept for another life."""

    def __init__(
        self, path: Path | None = None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = path and StateFile(
            path,
            _text,
            _kept,
            unknown="%s %s, so HAProxy may take ports that containers of this host had",
            unkept="the next start will not know which ports others have",
        )
        self._clock_s = clock_s
        self._kept = (self._file.load() if self._file else None) or _Kept()
        self._recalled = self._kept.programs
        self._recalled_until_s = clock_s() + RECALLED_S
        # The registrar's life in which it said something, and since when another says nothing.
        self._spoke: int | None = None
        self._silent_since_s: float | None = None

    def yielded(self, said: Said, policy: HostPolicy) -> Mapping[Bind, Yielded]:
        """Return the addresses of service ports that belong to containers of this host, and why."""
        self._keep(_Kept(self._heard(said), self._kept.programs))
        own = {
            *policy.process.stats_binds,
            *(policy.process.door.binds if policy.process.door else ()),
        }

        found: dict[Bind, Yielded] = {}
        for wish in self._kept.containers:
            for host in policy.hosts:
                bind = Bind(host, wish.port)
                # What the operator set is for the operator to change.
                if _meet(host, wish.address) and bind not in own:
                    where = host_port(wish.address, wish.port) if wish.address else str(wish.port)
                    found[bind] = Yielded(
                        f"container {wish.by} of this host has {where} (-p); use -P instead"
                    )
        return found

    def recalled(self, binds: Iterable[Bind]) -> Mapping[Bind, str]:
        """Return which of these addresses another program held before, and may still need."""
        if not self._recalled or self._clock_s() >= self._recalled_until_s:
            self._recalled = frozenset()
            return {}
        return dict.fromkeys(self._recalled.intersection(binds), RECALLED)

    def note(self, unusable: Mapping[Bind, str]) -> None:
        """Keep for the next life which addresses other programs hold now."""
        programs = frozenset(bind for bind, why in unusable.items() if not isinstance(why, Yielded))
        self._keep(_Kept(self._kept.containers, programs))

    def _heard(self, said: Said) -> tuple[HostPort, ...]:
        """Return the ports that count: silence ends them only once a registrar had its time."""
        if said.ports is not None:
            self._spoke, self._silent_since_s = said.owner, None
            return said.ports

        if said.owner is None:
            self._silent_since_s = None
            return self._kept.containers

        now_s = self._clock_s()
        since_s = self._silent_since_s
        self._silent_since_s = now_s if since_s is None else since_s
        is_over = said.owner == self._spoke or now_s >= self._silent_since_s + RECALLED_S
        return () if is_over else self._kept.containers

    def _keep(self, kept: _Kept) -> None:
        if kept != self._kept:
            self._kept = kept
            if self._file:
                self._file.save(kept)  # if that fails, it counts in this life all the same


def _meet(host: str, address: str) -> bool:
    """Whether two programs cannot listen at both addresses with one port."""
    if not address or host == address:
        return True

    is_any = address in ("0.0.0.0", "::") or host in ("*", "0.0.0.0", "::")  # noqa: S104
    return is_any and (":" in host) == (":" in address)


def _text(kept: _Kept) -> str:
    programs = sorted([bind.host, bind.port] for bind in kept.programs)
    return json.dumps({"containers": encode(kept.containers).decode(), "programs": programs})


def _kept(content: bytes) -> _Kept:
    document = json.loads(content)
    programs = frozenset(Bind(str(host), int(port)) for host, port in document["programs"])
    return _Kept(decode(str(document["containers"]).encode()), programs)
