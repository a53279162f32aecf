"""`tandem drain`: no new calls go to some instances, on every host, until they are undrained."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from catalog.keys import EVERY_SERVICE
from catalog.overrides.override import Override, moment_of
from ctl.commands.shared import DOCUMENTS, show, show_document, tell, with_form, with_reach
from ctl.commands.steering.steps import (
    Steps,
    on_hosts,
    others,
    status_of,
    steps_about,
)
from ctl.ends import DEADLINE, DONE, End
from ctl.line.command import Changing
from ctl.line.types import ANY, TIME
from ctl.overrides.left import Left, count_text, sessions_of
from ctl.overrides.seen import Seen, seen_idle
from ctl.overrides.written import Written
from ctl.settings import Reach

HELP = """Send no new calls to some instances, on every host; open ones go on.

\b
  tandem drain host/a --why "new disk"      all of host a, with what starts there meanwhile
  tandem drain 77de12f4 --for 2h            one container, for two hours at most
  tandem drain orders@a --wait              orders on a; returns when no connection is left
  tandem drain host/a --dry-run             only say what would be left
  tandem drain                              list what is drained or weighed

It says first which services would have no real instance left, and ends then with status 6 unless
there is --force. On a terminal it asks; elsewhere it does not. Without --for it stands until
tandem undrain, also over restarts of hosts, of the pair and of etcd.
"""
COLUMNS = {
    "table": ("what", "does", "by", "until", "why"),
    "wide": ("what", "does", "by", "until", "why", "service", "id"),
}


@click.command("drain", cls=Changing, help=HELP)
@click.argument("word", required=False, metavar="[host/HOST | SERVICE@HOST | ID]", type=ANY)
@click.option("--for", "for_s", metavar="TIME", type=TIME, default=0.0, help="ends by itself then")
@click.option("--wait", is_flag=True, help="return when no HAProxy has a connection to it left")
@click.option(
    "--timeout",
    metavar="TIME",
    type=TIME,
    default="10m",
    show_default=True,
    help="with --wait: for how long",
)
@click.option("--force", is_flag=True, help="also if a service has no real instance then")
@click.option("--why", metavar="TEXT", default="", help="for others who look")
@click.option("--dry-run", is_flag=True, help="change nothing, and end as it would")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@with_form
@with_reach
def command(reach: Reach, word: str | None, output: str, no_headers: bool, **given: Any) -> int:
    """Drain, or list what is drained."""
    if word is None:
        return _list(reach, output, no_headers)

    with steps_about(reach, word) as steps:
        return _drain(steps, Flags(**given), output)


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of the command, as they were given."""

    for_s: float
    wait: bool
    timeout: float
    force: bool
    why: str
    dry_run: bool
    yes: bool


def _drain(steps: Steps, flags: Flags, output: str) -> int:
    wait_until_s = time.monotonic() + flags.timeout
    word = steps.target.word
    left = steps.guard(force=flags.force)
    if flags.dry_run:
        _say_dry(word, left, output)
        return DONE

    already = steps.own("drain")
    if already and not (flags.for_s or flags.why):
        tell(f"already {others([*already.values()])}")
    else:
        steps.confirm(f"drain {word}, {count_text(left)}?", yes=flags.yes)
        steps.put("drain", flags.for_s, state="draining", why=flags.why)

    seen = steps.obeyed()
    if flags.wait:
        seen = _idle(steps, wait_until_s)
    _say(steps, seen, left, output)
    return status_of(seen)


def _idle(steps: Steps, until_s: float) -> Seen:
    """Wait until no connection is left. Raises End when the time is over."""
    way_back = f"tandem undrain {steps.target.word}"
    tell("drained; waiting until no connection is left")
    try:
        seen = seen_idle(steps.asking, steps.target, until_s)
    except KeyboardInterrupt:
        tell(f"it stays drained: {way_back}")
        raise

    sessions = sessions_of(seen.rows)
    if sessions:
        counts = ", ".join(f"{host} {count}" for host, count in sessions.items())
        raise End(DEADLINE, f"connections are left: {counts}; it stays drained: {way_back}")
    return seen


def _say_dry(word: str, left: Left, output: str) -> None:
    if output in DOCUMENTS:
        show_document({"what": word, **_lost(left)}, output)
    else:
        click.echo(f"{word}  would drain {count_text(left)}")


def _lost(left: Left) -> Mapping[str, object]:
    return {
        "instances": dict(left.concerned),
        "without": list(left.nobody),
        "only_stubs": list(left.only_stubs),
    }


def _say(steps: Steps, seen: Seen, left: Left, output: str) -> None:
    word, sessions = steps.target.word, sessions_of(seen.rows)
    ends = [it.until_s for it in steps.own("drain").values() if it.until_s]
    until = moment_of(max(ends)) if ends else ""
    if output in DOCUMENTS:
        document = {
            "what": word,
            "until": until or None,
            "hosts": list(seen.obeying),
            "behind": list(seen.behind),
            "old": list(seen.old),
            "sessions": dict(sessions),
            **_lost(left),
        }
        show_document(document, output)
        return

    count = sum(sessions.values())
    open_ = f", {count} connection{'' if count == 1 else 's'} left" if count else ""
    end = until or f"tandem undrain {word}"
    click.echo(f"{word}  drained on {on_hosts(seen)}, {count_text(left)}{open_}, until {end}")


def _list(reach: Reach, output: str, no_headers: bool) -> int:
    written = Written(reach.access, reach.prefix)
    try:
        written.look()
    finally:
        written.close()

    rows = [
        _row(key.service, key.id, standing.override)
        for key, standing in sorted(written.standing.items())
        if standing.override and not standing.override.is_over(time.time())
    ]
    for host in sorted(written.drained):
        rows.append({"what": f"host/{host}", "does": "drained on its own machine"})
    show("overrides", rows, COLUMNS, output, no_headers)
    return DONE


def _row(service: str, id_: str, it: Override) -> Mapping[str, object]:
    what = f"host/{it.host}" if service == EVERY_SERVICE else f"{service}@{it.host}"
    if not it.host:
        what = f"{service} {it.instance}".strip()
    does = "drained" if it.state else f"weight {it.weight}"
    return {
        "what": what,
        "does": f"calls go to {it.to}" if it.to else does,
        "by": it.by,
        "until": moment_of(it.until_s) if it.until_s else None,
        "why": it.why,
        "service": None if service == EVERY_SERVICE else service,
        "id": id_,
    }
