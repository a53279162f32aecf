"""Stub debt as rows: the services that only stubs answer for, what is overdue first. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from ctl.asking import Heard
from ctl.view.published import Published
from ctl.view.times import ago

COLUMNS = {
    "table": ("service", "since", "stubs", "calls", "calls/h", "until"),
    "wide": ("service", "since", "stubs", "calls", "calls/h", "until", "hosts"),
}
HOUR_S = 3600.0

Row = Mapping[str, Any]


def stub_rows(
    heard: Iterable[Heard], published: Sequence[Published], now: datetime
) -> tuple[Row, ...]:
    """Return a row for each service that only stubs answer for on some host.

    Calls are those of all hosts; what began first, began.
    """
    by_service: dict[str, dict[str, Row]] = {}
    for each in heard:
        for row in each.answer.rows if each.answer.status == "answer" else ():
            by_service.setdefault(str(row.get("service")), {})[each.host] = row

    until = _until(published)
    rows = [_row(name, seen, until.get(name), now) for name, seen in by_service.items()]
    return tuple(sorted(rows, key=lambda row: (not row["overdue"], row["since"], row["service"])))


def _row(service: str, seen: Mapping[str, Row], until: date | None, now: datetime) -> Row:
    began = {host: _time_of(row.get("since")) or now for host, row in seen.items()}
    rates = [
        _whole(row.get("calls")) * HOUR_S / max(1.0, (now - began[host]).total_seconds())
        for host, row in seen.items()
    ]
    return {
        "service": service,
        "since": f"{min(began.values()):%Y-%m-%dT%H:%M:%SZ}",
        "stubs": max(_whole(row.get("instances")) for row in seen.values()),
        "calls": sum(_whole(row.get("calls")) for row in seen.values()),
        "calls/h": round(sum(rates), 1),
        "until": until.isoformat() if until else None,
        "overdue": until is not None and now.date() > until,
        "hosts": sorted(seen),
    }


def for_people(rows: Iterable[Row], now: datetime) -> list[Row]:
    """Return the rows with times as people read them: for how long, and what is overdue."""
    return [
        {
            **row,
            "since": ago((now - (_time_of(row["since"]) or now)).total_seconds()),
            "until": f"{row['until']} overdue" if row["overdue"] else row["until"],
        }
        for row in rows
    ]


def _until(published: Iterable[Published]) -> Mapping[str, date]:
    """Return by service the day that its stubs were meant to last until: the first of them."""
    days: dict[str, date] = {}
    for each in published:
        it = each.instance
        if it.role == "stub" and it.stub_until:
            day = date.fromisoformat(it.stub_until)
            days[it.service] = min(day, days.get(it.service, day))
    return days


def _time_of(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
