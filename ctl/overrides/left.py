"""What would be left without some instances, and how far draining them is. No I/O."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctl.overrides.target import Target
from ctl.view.published import Published

Rows = Mapping[str, Sequence[Mapping[str, Any]]]  # by host: what its HAProxy says
Place = tuple[str, int]  # a service and its port


@dataclass(frozen=True, slots=True)
class Left:
    """What callers would lose, by service port; `only_stubs` still have a stub."""

    nobody: tuple[str, ...] = ()
    only_stubs: tuple[str, ...] = ()
    # How many instances of each service are concerned.
    concerned: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_harmless(self) -> bool:
        """Whether everybody still has a real instance."""
        return not self.nobody and not self.only_stubs

    @property
    def text(self) -> str:
        """What would be lost, in one line."""
        lost = [f"{it} ({_all_of(self.concerned.get(it, 1))})" for it in self.nobody]
        return ", ".join(lost + [f"{it} (a stub answers)" for it in self.only_stubs])


def _all_of(count: int) -> str:
    return "its only one" if count == 1 else f"all {count} of it"


def left_of(rows: Rows) -> Left:
    """Return what would be left, by what each host's HAProxy calls now: where hosts differ, the
    fewest.
    """
    seen: dict[Place, list[Mapping[str, Any]]] = {}
    for each in rows.values():
        for row in each:
            place = str(row.get("service")), int(row.get("port", 0))
            seen.setdefault(place, []).append(row)

    nobody, only_stubs = set[str](), set[str]()
    concerned: dict[str, int] = {}
    for (service, _port), found in sorted(seen.items()):
        most = max(int(row.get("concerned", 0)) for row in found)
        concerned[service] = max(concerned.get(service, 0), most)

        lost = [row for row in found if row.get("up") and not row.get("left")]
        if any(not row.get("stubs_left") for row in lost):
            nobody.add(service)
        elif lost:
            only_stubs.add(service)

    return Left(tuple(sorted(nobody)), tuple(sorted(only_stubs - nobody)), concerned)


def left_by_records(target: Target, published: Sequence[Published]) -> Left:
    """Return what would be left by what stands in etcd, where no HAProxy can be asked."""
    ours = [it for it in published if _is_of(target, it)]
    services = {it.instance.service for it in ours}
    others = [it for it in published if it not in ours and it.instance.state == "ready"]

    real = {it.instance.service for it in others if it.instance.role == "real"}
    stubs = {it.instance.service for it in others if it.instance.role == "stub"}

    lost = services - real
    concerned = {name: sum(it.instance.service == name for it in ours) for name in sorted(services)}
    return Left(tuple(sorted(lost - stubs)), tuple(sorted(lost & stubs)), concerned)


def _is_of(target: Target, it: Published) -> bool:
    if target.instances:
        return it in target.instances
    return bool(target.host) and it.host == target.host


def count_text(left: Left) -> str:
    """Return how many instances of which services are concerned."""
    total = sum(left.concerned.values())
    if not total:
        return "no instance now"

    names = list(left.concerned)
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{total} instance{'' if total == 1 else 's'} of {shown}"


def sessions_of(rows: Rows) -> Mapping[str, int]:
    """Return by host how many connections are left."""
    counts = {host: sum(int(row.get("sessions", 0)) for row in each) for host, each in rows.items()}
    return {host: count for host, count in sorted(counts.items()) if count}


def hosts_text(hosts: Collection[str], every: Collection[str]) -> str:
    """Return `3 of 3 hosts`, with those that are missing."""
    missing = sorted(set(every) - set(hosts))
    text = f"{len(set(hosts) & set(every))} of {len(every)} hosts"
    return text + (f" (not: {', '.join(missing)})" if missing else "")


def listed(words: Iterable[str]) -> str:
    """Return words with commas, sorted."""
    return ", ".join(sorted(words))
