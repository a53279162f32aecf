"""Find stubs that just lost their calls to a real instance, and how their connections end. No I/O.

HAProxy ends them by itself (`on-marked-up shutdown-backup-sessions`), but only in the current
worker, and only for a server that comes, not for one that is called again. A worker that a reload
made old would leave its clients with the stub; it may even have had the service in tcp mode while
it is http now.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from discover.text.sections import Section

TAKES_OVER = "on-marked-up shutdown-backup-sessions"
ASKED = 3  # sessions of each proxy, as one may have ended
_SESSION = re.compile(r"^(0x[0-9a-f]+): .* be=(\S+) srv=(\S+) ", re.MULTILINE)
_TCP = re.compile(r"^ +backend=(\S+) \(id=\S+ mode=tcp\)", re.MULTILINE)

Sections = Mapping[str, Section]
Held = Mapping[str, Sequence[str]]  # the ids of sessions, by proxy
Commands = tuple[str, ...]


def superseded(before: Sections, after: Sections) -> tuple[str, ...]:
    """Return stubs whose proxy has a first real server to call now, as `proxy/server`."""
    stubs: list[str] = []

    for head, section in after.items():
        earlier = before.get(head)
        if earlier is not section and _is_newly_taken_over(earlier, section):
            stubs += _backups(section)

    return tuple(stubs)


def _is_newly_taken_over(before: Section | None, after: Section) -> bool:
    return _takes_over(after) and (before is None or not _takes_over(before))


def _takes_over(section: Section) -> bool:
    servers = section.servers.values()
    return any(
        TAKES_OVER in server.words and server.weight > 0 and not server.free for server in servers
    )


def _backups(section: Section) -> Iterator[str]:
    for name, server in section.servers.items():
        if "backup" in server.words.split():
            yield f"{section.name}/{name}"


def old_workers(processes: str) -> tuple[str, ...]:
    """Return how each old worker is addressed, by the answer to `show proc`.

    HAProxy's management manual, section 9.4: `@!` and a pid; they stand below "# old workers".
    """
    old = processes.partition("# old workers")[2].partition("\n#")[0]
    rows = (line.split() for line in old.splitlines())
    pids = (words[0] for words in rows if words)
    return tuple(f"@!{pid} " for pid in pids if pid.isdigit())


def shutdowns(servers: Iterable[str]) -> Commands:
    """Return the commands for the current worker."""
    return tuple(f"shutdown sessions server {server}" for server in servers)


def held_by(servers: Container[str], sessions: str) -> Held:
    """Return an old worker's sessions with these servers, from its answer to `show sess`."""
    held: dict[str, list[str]] = {}

    for session in _SESSION.finditer(sessions):
        id_, proxy, name = session.groups()
        if f"{proxy}/{name}" in servers:
            held.setdefault(proxy, []).append(id_)

    return held


def questions(held: Held) -> Commands:
    """Return the questions that tell an old worker's modes, which need not be those of now.

    Only a session tells: `show stat` leaves out stopped proxies.
    """
    some = (ids[:ASKED] for ids in held.values())
    return tuple(f"show sess {id_}" for id_ in chain.from_iterable(some))


def each_shutdown(held: Held, answers: str) -> Commands:
    """Return the commands for an old worker: they end tcp sessions.

    In http that could lose a request under way.

    Its proxies are stopped, and for those `shutdown sessions server` only answers "Proxy is
    disabled." (3.0.11).
    """
    tcp = set(_TCP.findall(answers))
    sessions = (ids for proxy, ids in held.items() if proxy in tcp)
    return tuple(f"shutdown session {id_}" for id_ in chain.from_iterable(sessions))
