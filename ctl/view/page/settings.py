"""The settings of a service, and who set them. No I/O.

The record of the oldest real instance decides for the service. Which label or variable gave a
setting is known from docker-register, by name alone: values come from the record.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from catalog.records.record import DEFAULTS, Check, Instance
from catalog.values.vocabulary import SETTINGS, Setting
from ctl.asking import Heard
from ctl.view.calling.seen import SeenPort
from ctl.view.published import Published

COLUMNS = ("setting", "value", "by")
FILE = "services file"
DEFAULT = "default"
# One row for all of how HAProxy checks.
_CHECK = ("check.kind", "check.path", "check.grpc")

Row = Mapping[str, Any]
Given = Mapping[str, str]  # by field: the label or variable that gave it


def setting_rows(records: Sequence[Published], heard: Iterable[Heard]) -> tuple[Row, ...]:
    """Return a row for each setting of the service, and for what single instances have set."""
    if not records:
        return ()

    given = _given(heard)
    first = min(records, key=lambda it: (it.instance.role, it.created, it.short))
    rows = [_port(first, given), _check(first, given)]
    for setting in SETTINGS:
        if setting.scope == "service" and setting.field not in (*_CHECK, "service_port"):
            rows.append(_row(setting, first, given))
        if setting.scope == "instance":
            rows += _of_instances(setting, records, given)
    return tuple(rows)


def file_rows(seen: Iterable[SeenPort]) -> tuple[Row, ...]:
    """Return what a services file decides of a service, as HAProxy has it."""
    rows: dict[str, Any] = {}
    for port in seen:
        listener = next(iter(port.listeners.values()))
        check = f"{listener.get('check', '')} {listener.get('check_path', '')}".strip()
        is_http = listener.get("check") == "http"
        rows |= {
            "port": str(port.port or "-"),
            "mode": port.mode,
            "check": check if is_http else listener.get("check"),
        }
    return tuple({"setting": it, "value": rows[it], "by": FILE} for it in rows)


def _of_instances(
    setting: Setting, records: Sequence[Published], given: Mapping[str, Given]
) -> Iterator[Row]:
    rows = [_row(setting, it, given) for it in records]
    yield from (row for row in rows if row["by"] != DEFAULT)


def _row(setting: Setting, record: Published, given: Mapping[str, Given]) -> Row:
    value = _value(record.instance, setting.field)
    is_set = value != _default(setting.field)
    by = _by(record, setting.field, given) if is_set else given_by(record, setting.field, given)
    return {
        "setting": setting.word or setting.label.lower(),
        "value": _shown(setting.field, value),
        "by": by or DEFAULT,
    }


def _port(record: Published, given: Mapping[str, Given]) -> Row:
    port, own = record.instance.service_port, record.instance.container_port
    by = given_by(record, "service_port", given)
    if not by and port == own:
        by = "its own port"
    if not by and record.instance.port_reserved:
        by = f"its own port, {own}, is one of RESERVED_PORTS"
    value = str(port) if port else "assigned"
    return {"setting": "port", "value": value, "by": by or _container(record)}


def _check(record: Published, given: Mapping[str, Given]) -> Row:
    check = record.instance.check
    value = f"http {check.path}" if check.kind == "http" else "grpc" if check.grpc else check.kind
    by = next(filter(None, (given_by(record, field, given) for field in _CHECK)), "")
    is_default = (check.kind, check.grpc) == ("tcp", False)
    by = by or (DEFAULT if is_default else _container(record))
    return {"setting": "check", "value": value, "by": by}


def _by(record: Published, field: str, given: Mapping[str, Given]) -> str:
    return given_by(record, field, given) or _container(record)


def given_by(record: Published, field: str, given: Mapping[str, Given]) -> str:
    """Return the label or variable that gave a record its field, or nothing if that is not told."""
    name = f"{record.short}:{record.instance.container_port}"
    by = given.get(f"{record.host}/{name}", {}).get(field)
    return f"{by} of {_container(record)}" if by else ""


def _container(record: Published) -> str:
    return f"{record.instance.container_name or record.short} on {record.host}"


def _given(heard: Iterable[Heard]) -> Mapping[str, Given]:
    """Return by host, container and port what docker-register says of its labels."""
    found: dict[str, Given] = {}
    for it in heard:
        if it.side != "register":
            continue
        for row in it.answer.rows:
            for published in row.get("published", ()):
                name = f"{row.get('container')}:{published.get('container_port')}"
                given = published.get("given")
                if isinstance(given, dict):
                    found[f"{it.host}/{name}"] = {str(k): str(v) for k, v in given.items()}
    return found


def _value(instance: Instance, field: str) -> Any:
    if field == "balance" and instance.hash_header:
        return f"hash:{instance.hash_header}"
    of_check = field.removeprefix("check.")
    return getattr(instance, field) if of_check == field else getattr(instance.check, of_check)


def _default(field: str) -> Any:
    of_check = field.removeprefix("check.")
    return DEFAULTS[field] if of_check == field else getattr(Check(), of_check)


def _shown(field: str, value: Any) -> Any:
    if value in (None, "", ()):
        return None
    if field.endswith("_ms"):
        return f"{value} ms"
    return ",".join(value) if isinstance(value, tuple) else value
