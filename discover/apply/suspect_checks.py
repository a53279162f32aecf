"""What HAProxy's own checks say of suspects: which servers to ask for, and what the answer means. No I/O."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from discover.model.config import name_of
from discover.model.http_routes import NO_PORT
from discover.snapshot.snapshot import Claim
from discover.snapshot.suspects import Suspects, Verdict

# src/proxy.c of HAProxy, "show servers state"; the numbers are in its management manual, section 9.3.
_COLUMNS = (
    "be_name",
    "srv_name",
    "srv_op_state",
    "srv_admin_state",
    "srv_check_result",
    "srv_check_state",
)
MANY = 50  # questions, which fit on one line
STOPPED = 0
Behind = Mapping[tuple[str, int], str]
NOTHING: Behind = MappingProxyType({})
PASSED = 3
ENABLED = 0x04


def questions(
    suspects: Suspects, claims: Mapping[str, Claim], behind: Behind = NOTHING
) -> Iterable[str]:
    """Return what to ask: the servers of each listener that has a suspect, or of all if those are many.

    `behind` has the names of those that only the door leads to.
    """
    proxies = sorted({proxy for proxy, _ in _places(suspects, claims, behind)})
    return (
        ["show servers state"]
        if len(proxies) > MANY
        else [f"show servers state {proxy}" for proxy in proxies]
    )


def verdicts_of(
    answer: str, suspects: Suspects, claims: Mapping[str, Claim], behind: Behind = NOTHING
) -> Mapping[str, Verdict]:
    """Return what the answers say about each suspect; nothing about one that is not found or not yet checked."""
    places = _places(suspects, claims, behind)
    found: dict[str, Verdict] = {}
    column: Mapping[str, int] = {}
    for line in answer.splitlines():
        words = line.split(" ")
        if words[0] == "#":
            column = {name: at for at, name in enumerate(words[1:])}
        elif column.keys() >= set(_COLUMNS) and len(words) >= len(column):
            proxy, server, *numbers = (words[column[name]] for name in _COLUMNS)
            key = places.get((proxy, server))
            if key is not None and (verdict := _verdict(*numbers)) is not None:
                found[key] = verdict
    return found


def _places(
    suspects: Suspects, claims: Mapping[str, Claim], behind: Behind
) -> Mapping[tuple[str, str], str]:
    places = {}
    for key, suspect in suspects.items():
        record = suspect.record
        port, claim = record.instance.service_port, claims.get(record.key.service)
        if port is None:
            port = claim.port if claim is not None else NO_PORT  # reached by its host name only
        place = record.key.service, port
        places[behind.get(place) or name_of(*place), record.key.name] = key
    return places


def _verdict(operation: str, admin: str, result: str, check: str) -> Verdict | None:
    if not all(number.isdigit() for number in (operation, admin, result, check)) or int(admin):
        return None
    if not int(check) & ENABLED:
        return "unchecked"
    if int(operation) == STOPPED:
        return "failing"
    return "passing" if int(result) >= PASSED else None
