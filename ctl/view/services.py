"""Services as rows, problems first: what etcd says joined with what HAProxy has up. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.asking.refusals import Refusals
from ctl.asking import Heard
from ctl.view.listing.since import since_s
from ctl.view.published import Published
from ctl.view.times import ago

_TABLE = ("service", "port", "mode", "ready", "stubs", "hosts", "since", "note")
COLUMNS = {"table": _TABLE, "wide": (*_TABLE, "state", "draining")}
# Why nothing is published, and nobody has to do anything about it.
ON_PURPOSE = (
    "IGNORED", "NOT_RUNNING", "ONE_OFF", "NOT_CHOSEN", "NOT_LABELLED", "POD_INFRA", "LOOKS_SECRET",
)  # fmt: skip
# The states, the worst first; what is only `partly` there is called all the same.
STATES = ("nobody", "refused", "partly", "stubs", "serving", "unknown")
PROBLEMS = ("nobody", "refused", "partly", "unknown")
FOREVER_S = 1 << 40

Seen = Mapping[str, Mapping[str, Any]]  # what each host's HAProxy has of one service port
Place = tuple[str, int]  # a service and its port; 0: only its host names lead there


def service_rows(
    published: Sequence[Published], heard: Iterable[Heard], now_s: float = 0.0
) -> tuple[Mapping[str, Any], ...]:
    """Return a row for each port of each service, the worst first; `now_s` is since 1970."""
    answers = [it for it in heard if it.side == "discover" and it.answer.status == "answer"]
    seen = _seen_by_place(answers)
    of_etcd = _published_by_place(published, seen)
    hosts = {each.host for each in answers if not each.answer.left_out}
    workers_s = {each.host: _worker_s(each) for each in answers}

    rows = []
    for place in seen.keys() | of_etcd.keys():
        records, of_place = of_etcd.get(place, []), seen.get(place, {})
        row = _row(place, records, of_place, hosts)

        age_s = since_s(row["state"], of_place, workers_s, records, now_s)
        since = None if age_s is None else ago(age_s)
        rows.append({**row, "since": since, "since_s": age_s})

    return tuple(sorted(rows, key=_worst_first))


def _seen_by_place(answers: Iterable[Heard]) -> Mapping[Place, Seen]:
    seen: dict[Place, dict[str, Mapping[str, Any]]] = {}
    for each in answers:
        for row in each.answer.rows:
            place = str(row.get("service")), int(row.get("port", 0))
            seen.setdefault(place, {})[each.host] = row

    return seen


def _published_by_place(
    published: Sequence[Published], seen: Iterable[Place]
) -> Mapping[Place, Sequence[Published]]:
    assigned = _assigned_ports(published, seen)
    found: dict[Place, list[Published]] = {}
    for it in published:
        service, port = it.instance.service, it.instance.service_port
        place = service, port or assigned.get(service, 0)
        found.setdefault(place, []).append(it)

    return found


def _worker_s(heard: Heard) -> int:
    """Return for how long HAProxy's worker runs; an older docker-discover does not say."""
    seconds = heard.answer.facts.get("worker_s")
    return seconds if isinstance(seconds, int) and seconds else FOREVER_S


def _assigned_ports(published: Sequence[Published], seen: Iterable[Place]) -> Mapping[str, int]:
    """Return by service the port that HAProxy has for it and no record names: one was assigned."""
    named = {(it.instance.service, it.instance.service_port) for it in published}
    return {service: port for service, port in seen if (service, port) not in named}


def _worst_first(row: Mapping[str, Any]) -> tuple[int, str, int]:
    return STATES.index(row["state"]), row["service"], row["port"] or 0


def _row(
    place: Place, published: Sequence[Published], seen: Seen, answering: set[str]
) -> Mapping[str, Any]:
    service, port = place
    instances = [each.instance for each in published]
    modes = [str(row["mode"]) for row in seen.values() if row.get("mode")]
    modes += [it.mode for it in instances]

    real = sum(it.role == "real" and it.state == "ready" for it in instances)
    wanted = max([real, *(int(row.get("real", 0)) for row in seen.values())])
    least = min((int(row.get("up", 0)) for row in seen.values()), default=None)
    stubs_up = min((int(row.get("stubs_up", 0)) for row in seen.values()), default=0)
    missing = sorted(answering - seen.keys())

    state = _state(least, wanted, stubs_up, missing)
    return {
        "service": service,
        "port": port or None,
        "mode": next(iter(modes), None),
        "ready": f"{'?' if least is None else least}/{wanted}" if wanted else "0",
        "up": least,
        "real": wanted,
        "stubs": max([0, *(int(row.get("stubs", 0)) for row in seen.values())]) or None,
        "hosts": sorted({each.host for each in published}),
        "zones": sorted({each.instance.zone for each in published} - {""}),
        "note": _note(state, seen, missing, wanted, bool(instances)),
        "state": state,
        "draining": sum(it.state == "draining" for it in instances) or None,
    }


def _state(least: int | None, wanted: int, stubs_up: int, missing: Sequence[str]) -> str:
    if least is None:
        return "nobody" if missing else "unknown"
    if not least and not stubs_up:
        return "nobody"
    if missing or (wanted and least < wanted):
        return "partly"
    return "serving" if least else "stubs"


def _note(state: str, seen: Seen, missing: Sequence[str], wanted: int, is_published: bool) -> str:
    """Return what is wrong, in few words."""
    notes = []
    why = sorted({str(row["why"]) for row in seen.values() if row.get("why")})

    if state == "unknown":
        notes.append("no docker-discover has said")
    elif state == "nobody" and not is_published and not wanted:
        notes.append("no instance: its port is kept for a while")
    elif why:
        notes.append(f"checks fail: {why[0]}")
    elif state == "stubs":
        notes.append("a stub answers")
    elif state == "nobody" and not missing:
        notes.append("no instance is called: tandem explain says why")

    overrides = {str(row["override"]) for row in seen.values() if row.get("override")}
    notes += sorted(overrides)[:1]

    ups = {host: int(row.get("up", 0)) for host, row in seen.items()}
    if len(set(ups.values())) > 1:
        fewest = min(ups.values())
        hosts = sorted(host for host, count in ups.items() if count == fewest)
        notes.append(f"fewest on {', '.join(hosts)}")

    if missing and not seen:
        notes.append("no HAProxy has it: tandem explain says why")
    elif missing:
        notes.append(f"not on {', '.join(missing)}")
    return "; ".join(notes)


def refused_rows(
    refusals: Mapping[str, Refusals], zones: Mapping[str, str]
) -> tuple[Mapping[str, Any], ...]:
    """Return a row for each container that is not published though nobody meant that.

    `zones` are those of hosts.
    """
    return tuple(
        {
            "service": refusal.where,
            "ready": None,
            "hosts": [host],
            "zones": [zones[host]] if zones.get(host) else [],
            "note": f"{refusal.code} {refusal.text}",
            "state": "refused",
        }
        for host, said in sorted(refusals.items())
        for refusal in said.rows
        if refusal.code not in ON_PURPOSE
    )
