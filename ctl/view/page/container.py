"""What docker-register says of containers: rows. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ctl.asking import Heard
from ctl.view.times import ago

COLUMNS = ("host", "container", "id", "image", "status", "started", "ports")
Row = Mapping[str, Any]


def container_rows(heard: Iterable[Heard], now_s: float) -> tuple[Row, ...]:
    """Return a row for each container that a docker-register told of; `now_s` is since 1970."""
    return tuple(_rows(heard, now_s))


def _rows(heard: Iterable[Heard], now_s: float) -> Iterator[Row]:
    for it in heard:
        if it.side != "register":
            continue
        for row in it.answer.rows:
            started_ns, health = row.get("started_ns"), row.get("health")
            started_s = started_ns / 1e9 if isinstance(started_ns, int) and started_ns else None
            with_health = f", {health}" if health and health != "none" else ""
            yield {
                "host": it.host,
                "container": row.get("name"),
                "id": row.get("container"),
                "image": row.get("image"),
                "status": f"{row.get('status', '?')}{with_health}",
                "started": None if started_s is None else f"{ago(now_s - started_s)} ago",
                "started_ns": started_ns,
                "ports": row.get("ports"),
            }
