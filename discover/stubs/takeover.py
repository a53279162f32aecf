"""Which stubs have just lost their calls to a real instance: their open connections end, in every worker. No I/O.

HAProxy does that by itself (`on-marked-up shutdown-backup-sessions`), but only in the current worker, and only for a
server that comes, not for one that is called again. A worker that a reload made old would leave its clients there; it
may even have had the service in tcp mode, whose word is now http.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence

from discover.text.sections import Section

TAKES_OVER = "on-marked-up shutdown-backup-sessions"
_SESSION = re.compile(r"^(0x[0-9a-f]+): .* be=(\S+) srv=(\S+) ", re.MULTILINE)
_TCP = re.compile(r"^ +backend=(\S+) \(id=\S+ mode=tcp\)", re.MULTILINE)
ASKED = 3


def superseded(before: Mapping[str, Section], after: Mapping[str, Section]) -> tuple[str, ...]:
    """Return whose connections end, as `proxy/server`: stubs, where the first real one can be called now."""
    return tuple(
        f"{section.name}/{name}"
        for head, section in after.items()
        if (earlier := before.get(head)) is not section and _takes_over(section)
        if earlier is None or not _takes_over(earlier)
        for name, server in section.servers.items()
        if "backup" in server.words.split()
    )


def _takes_over(section: Section) -> bool:
    return any(
        TAKES_OVER in server.words and server.weight > 0 for server in section.servers.values()
    )


def old_workers(processes: str) -> tuple[str, ...]:
    """Return how each old worker is addressed, by the answer to `show proc`.

    HAProxy's management manual, section 9.4: `@!` and a pid; they stand below "# old workers".
    """
    old = processes.partition("# old workers")[2].partition("\n#")[0]
    pids = (line.split()[0] for line in old.splitlines() if line.strip())
    return tuple(f"@!{pid} " for pid in pids if pid.isdigit())


def shutdowns(servers: Iterable[str]) -> tuple[str, ...]:
    """Return what to say to the current worker."""
    return tuple(f"shutdown sessions server {server}" for server in servers)


def held_by(servers: Container[str], sessions: str) -> Mapping[str, Sequence[str]]:
    """Return an old worker's sessions with these servers, by proxy, from its answer to `show sess`."""
    found: dict[str, list[str]] = {}
    for id_, proxy, name in (match.groups() for match in _SESSION.finditer(sessions)):
        if f"{proxy}/{name}" in servers:
            found.setdefault(proxy, []).append(id_)
    return found


def questions(held: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return what to ask an old worker to learn its proxies' modes, which need not be those of now.

    Only a session tells: `show stat` leaves stopped proxies out. A few of each are asked for, as one may have ended.
    """
    return tuple(f"show sess {id_}" for ids in held.values() for id_ in ids[:ASKED])


def each_shutdown(held: Mapping[str, Sequence[str]], answers: str) -> tuple[str, ...]:
    """Return what to say to an old worker: its tcp sessions end. In http that would lose a request that is on its way.

    Its proxies are stopped, and of those `shutdown sessions server` only says "Proxy is disabled." (3.0.11).
    """
    tcp = set(_TCP.findall(answers))
    return tuple(
        f"shutdown session {id_}" for proxy, ids in held.items() if proxy in tcp for id_ in ids
    )
