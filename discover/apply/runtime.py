"""Say changes of servers and routes in the words of HAProxy's runtime API. No I/O.

A server that goes stays behind in maintenance: deleting one crashes HAProxy 2.6 and is not safe in
3.0.11 (docs/research/haproxy.md section 2.4). Its slot is free for the next instance then
(discover/text/slots.py). A server without a slot rests until the next reload leaves it out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from discover.apply.plan import RouteChange, ServerChange
from discover.haproxy.replies import DISABLED_IN_FILE, Mismatch, table_of
from discover.text.sections import Section, ServerLine, endpoint_of

# srv_admin_state, forced maintenance: HAProxy's management manual, section 9.3 "show servers state"
MAINT = 0x01
_SAYABLE = re.compile(r"[A-Za-z0-9._:/\[\]@%,=*+~! -]*")  # nothing that ends a command or quotes
_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_uweight", "srv_admin_state")


@dataclass(frozen=True, slots=True)
class Row:
    """One server as the worker has it."""

    endpoint: str
    weight: int
    admin: int

    @property
    def rests(self) -> bool:
        """Whether it is in maintenance."""
        return bool(self.admin & MAINT)


Rows = Mapping[str, Row]
Commands = tuple[str, ...]


class RestingServers:
    """Servers that went at runtime and rest in maintenance, until a reload leaves them out."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], ServerLine] = {}  # by proxy and name

    def __len__(self) -> int:
        return len(self._lines)

    def rows(self, changes: Iterable[ServerChange]) -> Rows:
        """Return the servers as the worker must have them before these changes.

        The worker's answers show if it has not. Raises Mismatch.
        """
        rows: dict[str, Row] = {}

        for change in changes:
            row = self._row(change)
            if row is not None:
                rows[change.name] = row

        return rows

    def note(self, changes: Iterable[ServerChange]) -> None:
        """Note which servers rest after these changes of the worker."""
        for change in changes:
            if change.after is not None:
                self._lines.pop((change.proxy, change.name), None)
            elif change.before is not None:
                self._lines[change.proxy, change.name] = change.before

    def clear(self) -> None:
        """Note that a reload left all of them out."""
        self._lines.clear()

    def _row(self, change: ServerChange) -> Row | None:
        if change.before is not None:
            admin = MAINT if change.before.free else 0
            return Row(change.before.endpoint, change.before.weight, admin)

        line = self._lines.get((change.proxy, change.name))
        if line is None:
            return None
        if change.after is not None and change.after.words != line.words:
            raise Mismatch(f"{change}: a server of this name rests there with other options")
        return Row(line.endpoint, line.weight, MAINT)


def states_of(answer: str) -> Mapping[str, Rows]:
    """Return the servers of each proxy in the answer to `show servers state`. Raises Mismatch."""
    proxies: dict[str, dict[str, Row]] = {}

    for proxy, name, address, port, weight, admin in table_of(answer, *_COLUMNS):
        endpoint = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            row = Row(endpoint, int(weight), int(admin) & ~DISABLED_IN_FILE)
        except ValueError as error:
            raise Mismatch(f"show servers state: {error!r}") from error
        proxies.setdefault(proxy, {})[name] = row

    return proxies


def commands(changes: Iterable[ServerChange], rows: Rows) -> Commands:
    """Return the commands for changes of one proxy, which has the servers `rows` now."""
    each = (_commands(change, rows.get(change.name)) for change in changes)
    return tuple(chain.from_iterable(each))


def _commands(change: ServerChange, row: Row | None) -> Commands:
    path = f"{change.proxy}/{change.name}"

    if change.after is None or change.after.free:
        is_off = row is None or row.rests
        return () if is_off else (f"set server {path} state maint",)

    if row is None:
        return _add(path, change.after)
    return _move(path, change.after, row)


def _add(path: str, wanted: ServerLine) -> Commands:
    if not _SAYABLE.fullmatch(wanted.words):
        raise Mismatch(f"{path}: options that cannot be set at runtime: {wanted.words!r:.80}")

    add = f"add server {path} {wanted.endpoint} weight {wanted.weight} {wanted.words}".rstrip()
    is_checked = "check" in wanted.words.split()
    check = (f"enable health {path}",) if is_checked else ()

    return (add, *check, f"enable server {path}")


def _move(path: str, wanted: ServerLine, row: Row) -> Commands:
    """Give a server another address or weight.

    A new address goes through maintenance, which drops idle connections to the old one.
    """
    steps: list[str] = []
    moves = row.endpoint != wanted.endpoint

    if moves and not row.rests:
        steps.append(f"set server {path} state maint")
    if moves:
        address, _, port = wanted.endpoint.rpartition(":")
        steps.append(f"set server {path} addr {address.strip('[]')} port {port}")
    if row.weight != wanted.weight or row.rests:
        steps.append(f"set server {path} weight {wanted.weight}")
    if moves or row.admin:
        steps.append(f"set server {path} state ready")

    return tuple(steps)


def route_commands(changes: Iterable[RouteChange], file: str) -> Commands:
    """Return the commands for changes of a map."""
    return tuple(_route_command(change, file) for change in changes)


def _route_command(change: RouteChange, file: str) -> str:
    if not _SAYABLE.fullmatch(f"{change.key}{change.after or ''}"):
        raise Mismatch(f"{change}: cannot be set at runtime")

    if change.after is None:
        return f"del map {file} {change.key}"

    # A key that is added twice would stand in the map twice.
    verb = "add" if change.before is None else "set"
    return f"{verb} map {file} {change.key} {change.after}"


def verify(changes: Iterable[ServerChange], rows: Rows) -> None:
    """Raise Mismatch if the worker's servers are not as the changes wanted them."""
    for change in changes:
        row = rows.get(change.name)
        if change.after is None or change.after.free:
            is_done = row is None or row.rests
        else:
            is_done = row is not None and _is_as(row, change.after)

        if not is_done:
            raise Mismatch(f"{change} is {row} afterwards")


def verify_all(section: Section, rows: Rows) -> None:
    """Raise Mismatch if a proxy has other servers than its section, those in maintenance aside."""
    active = {name: row for name, row in rows.items() if not row.rests}
    wanted = {name: line for name, line in section.servers.items() if not line.free}

    if active.keys() != wanted.keys():
        raise Mismatch(f"{section.name} has the servers {sorted(active)}, not {sorted(wanted)}")

    for name, line in wanted.items():
        if not _is_as(active[name], line):
            raise Mismatch(f"{section.name} has {name} as {active[name]}, not as {line}")


def _is_as(row: Row, wanted: ServerLine) -> bool:
    """Whether a server is as its line says.

    HAProxy has its own spelling for some IPv6 addresses.
    """
    same_endpoint = endpoint_of(row.endpoint) == endpoint_of(wanted.endpoint)
    return same_endpoint and row.weight == wanted.weight and row.admin == 0
