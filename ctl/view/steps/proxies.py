"""What docker-discovers say: revision, listener, servers and their checks. No I/O."""

from collections.abc import Iterator, Mapping
from typing import Any

from ctl.asking import Heard
from ctl.view.steps.step import Mark, Step
from ctl.view.times import ago
from ctl.view.waiting import is_up


def proxy_steps(heard: Heard) -> Iterator[Step]:
    """Yield the steps of one HAProxy."""
    host, answer = heard.host, heard.answer
    if answer.status != "answer":
        yield Step("✗", host, f"docker-discover: {answer.text}", stage="listener")
        return

    revision, newest = answer.facts.get("revision", 0), answer.facts.get("etcd_revision", 0)
    is_late = isinstance(revision, int) and isinstance(newest, int) and revision < newest
    text = f"HAProxy runs revision {revision}" + (f" of {newest}" if is_late else "")
    yield Step("–" if is_late else "✓", host, text, stage="revision")

    for listener in answer.facts.get("listeners", ()):
        yield from _listener(host, listener)
    for intercept in answer.facts.get("intercepts", ()):
        yield _intercept(host, intercept)
    is_empty = any("empty_s" in listener for listener in answer.facts.get("listeners", ()))
    if not answer.rows and not is_empty:
        yield Step("✗", host, "no instance is laid out", stage="server")
    for row in answer.rows:
        yield _server(host, row, answer.text)


def _listener(host: str, listener: Mapping[str, Any]) -> Iterator[Step]:
    where = ", ".join([*listener.get("listens", ()), *listener.get("routes", ())])
    mark: Mark = "✓" if where else "✗"
    text = f"{listener.get('service')} listens at {where or 'no address'}"
    yield Step(mark, host, f"{text}, {listener.get('mode')}", stage="listener")

    if isinstance(empty_s := listener.get("empty_s"), int):
        last = f": the last one was at {listener['last']}" if listener.get("last") else ""
        text = f"{listener.get('service')} has no instance for {ago(empty_s)}{last}"
        yield Step("✗", host, text, help="start one; its port is kept for it", stage="server")


def _intercept(host: str, row: Mapping[str, Any]) -> Step:
    calls, why = str(row.get("calls", "")).rstrip("/="), row.get("why")
    which = f"calls with {calls}" if calls else "all calls"
    if calls.startswith("/"):
        which = f"calls below {calls}"
    text = f"{which} go to {row.get('to')}: {row.get('by')} intercepts them"
    if why:
        text = f"an intercept is not done here: {why}"
    return Step("–", host, text, stage="listener")


def _server(host: str, row: Mapping[str, Any], why: str) -> Step:
    state = row.get("state")
    code = f"/{row['check_code']}" if row.get("check_code") else ""
    said = f"{row.get('check') or ''}{code} {row.get('said') or ''}".strip()
    text = f"{row.get('role')} {row.get('instance')} at {row.get('address')} is {state}"
    if row.get("draining"):
        text = f"{text}, {row.get('override') or 'draining'}"
        return Step("–", host, text, stage="server")
    text += f", {row['override']}" if row.get("override") else ""
    if is_up(row):
        return Step("✓", host, text + (f" ({said})" if said else ""), stage="server")
    if state == "unknown":
        return Step("–", host, f"{text}: {why or 'HAProxy does not say'}", stage="server")

    since = f" for {ago(row['since_s'])}" if row.get("since_s") else ""
    help_ = f"on {host}: curl -v http://{row.get('address')}/ (its check fails from there)"
    text = f"{text}{since}" + (f": {said}" if said else "")
    return Step("✗", host, text, help=help_, stage="server")
