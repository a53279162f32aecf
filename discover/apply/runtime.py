"""The runtime API's words: what to say for a change of servers, and what the answers mean. No I/O.

A server that goes stays behind in maintenance: deleting one crashes HAProxy 2.6 and is not safe in 3.0.11
(research/haproxy.md section 2.4). If its container starts again, the same server gets its new address; the next
reload leaves the others out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.host_port import host_port, split_host_port
from discover.apply.plan import RouteChange, ServerChange
from discover.text.sections import Section, ServerLine, endpoint_of

LINE_BYTES_MAX = 8000  # half of tune.bufsize: 2.6 drops a longer line without a word
_WORDS = re.compile(r"[A-Za-z0-9._:/\[\]@%,=*+~ -]*")  # nothing that ends a command or quotes
# What HAProxy says when it did what it was told: src/server.c and src/proxy.c of 2.6 to 3.2.
_GOOD = re.compile(
    r"New server registered\.|nothing changed|no need to change the (addr|port)\b.*|"
    r"(IP|port) changed from .*|.*(IP|port) changed from .* by 'stats socket command'"
)
MAINT = 0x01  # srv_admin_state, forced maintenance: HAProxy's management manual, section 9.3 "show servers state"


class Mismatch(Exception):
    """HAProxy did not take a change at runtime as it should have: a reload puts it right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One server as the worker has it."""

    endpoint: str
    weight: int
    admin: int


Rows = Mapping[str, Row]
_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_uweight", "srv_admin_state")


def states_of(answer: str) -> Mapping[str, Rows]:
    """Return the servers of each proxy in the answer to `show servers state`. Raises Mismatch for anything else."""
    lines = answer.splitlines()
    if len(lines) < 2 or not lines[1].startswith("# "):
        raise Mismatch(f"show servers state: {answer[:80]!r}")
    column = {name: at for at, name in enumerate(lines[1][2:].split(" "))}
    proxies: dict[str, dict[str, Row]] = {}
    try:
        at = [column[name] for name in _COLUMNS]
        for line in filter(None, lines[2:]):
            words = line.split(" ")
            proxy, name, address, port, weight, admin = (words[index] for index in at)
            endpoint = host_port(address, int(port))
            proxies.setdefault(proxy, {})[name] = Row(endpoint, int(weight), int(admin))
    except (LookupError, ValueError) as error:
        raise Mismatch(f"show servers state: {error!r}") from error
    return proxies


def commands(changes: Iterable[ServerChange], rows: Rows) -> tuple[str, ...]:
    """Return what to say for changes of one proxy whose servers are `rows` now."""
    return tuple(text for change in changes for text in _commands(change, rows.get(change.name)))


def _commands(change: ServerChange, row: Row | None) -> tuple[str, ...]:
    path, wanted = f"{change.proxy}/{change.name}", change.after
    if wanted is None:
        return () if row is None or row.admin & MAINT else (f"set server {path} state maint",)
    if row is None:
        return _add(path, wanted)
    return _moved(path, wanted, row)


def _add(path: str, wanted: ServerLine) -> tuple[str, ...]:
    if not _WORDS.fullmatch(wanted.words):
        raise Mismatch(f"{path}: options that cannot be said at runtime: {wanted.words!r:.80}")
    checked = (f"enable health {path}",) if "check" in wanted.words.split() else ()
    add = f"add server {path} {wanted.endpoint} weight {wanted.weight} {wanted.words}".rstrip()
    return (add, *checked, f"enable server {path}")


def _moved(path: str, wanted: ServerLine, row: Row) -> tuple[str, ...]:
    """Give a server another address or weight; through maintenance, which drops idle connections to the old one."""
    weight = (f"set server {path} weight {wanted.weight}",) if row.weight != wanted.weight else ()
    moving = row.endpoint != wanted.endpoint
    address, port = split_host_port(wanted.endpoint)
    move = (f"set server {path} addr {address} port {port}",) if moving else ()
    rest = (f"set server {path} state maint",) if moving and not row.admin & MAINT else ()
    ready = (f"set server {path} state ready",) if moving or row.admin else ()
    return (*rest, *move, *weight, *ready)


def route_commands(changes: Iterable[RouteChange], file: str) -> tuple[str, ...]:
    """Return what to say for changes of a map; one line that is added twice would stay twice."""
    return tuple(_route(change, file) for change in changes)


def _route(change: RouteChange, file: str) -> str:
    if not _WORDS.fullmatch(f"{change.key}{change.after or ''}"):
        raise Mismatch(f"{change}: cannot be said at runtime")
    if change.after is None:
        return f"del map {file} {change.key}"
    return f"{'add' if change.before is None else 'set'} map {file} {change.key} {change.after}"


def routes_in(answer: str) -> Mapping[str, str]:
    """Return the lines of a map in the answer to `show map`. Raises Mismatch."""
    routes: dict[str, str] = {}
    for line in filter(None, answer.splitlines()):
        words = line.split(" ")
        if len(words) != 3 or words[1] in routes:  # where it lies, key, value
            raise Mismatch(f"the map of the door has the line {line!r:.80}")
        routes[words[1]] = words[2]
    return routes


def batches(texts: Iterable[str], prefix: str = "@1 ") -> Iterable[str]:
    """Return the lines to send: commands for the current worker, as many on a line as it takes."""
    line = ""
    for text in texts:
        command = prefix + text
        if line and len(line) + len(command) + 1 > LINE_BYTES_MAX:
            yield line
            line = ""
        line = f"{line};{command}" if line else command
    if line:
        yield line


def judge(answer: str) -> None:
    """Raise Mismatch for the first line of an answer that is no success."""
    for line in answer.splitlines():
        if line and not _GOOD.fullmatch(line):
            raise Mismatch(f"HAProxy answered {line!r:.120}")


def verify(changes: Iterable[ServerChange], rows: Rows) -> None:
    """Raise Mismatch if the worker's servers are not as the changes wanted them."""
    for change in changes:
        row, wanted = rows.get(change.name), change.after
        gone = row is None or bool(row.admin & MAINT)
        if not (gone if wanted is None else row is not None and _is(row, wanted)):
            raise Mismatch(f"{change} is {row} afterwards")


def verify_all(section: Section, rows: Rows) -> None:
    """Raise Mismatch if a proxy of the worker has other servers than its section, those at rest left aside."""
    active = {name: row for name, row in rows.items() if not row.admin & MAINT}
    if active.keys() != section.servers.keys():
        raise Mismatch(
            f"{section.name} has the servers {sorted(active)}, not {sorted(section.servers)}"
        )
    for name, line in section.servers.items():
        if not _is(active[name], line):
            raise Mismatch(f"{section.name} has {name} as {active[name]}, not as {line}")


def _is(row: Row, wanted: ServerLine) -> bool:
    """Whether a server is as its line; HAProxy has its own spelling for some IPv6 addresses."""
    same_place = endpoint_of(row.endpoint) == endpoint_of(wanted.endpoint)
    return same_place and row.weight == wanted.weight and row.admin == 0
