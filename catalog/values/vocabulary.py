"""The settings that people write: labels on containers, words in the services file. No I/O.

Each row has both spellings of a setting and the field of the record that it fills; the field's type
of value says how either spelling is read. A setting without a label, or a word, has "" there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from catalog.records.record import TYPES, Check, CheckKind
from catalog.values.text_types import PRINTABLE
from catalog.values.value_types import Flag, ValueType

# offer: whether and where docker-register offers a port; fills no field of the record.
# service: holds for all instances of a service; where they differ, the oldest real one decides.
# instance: holds for one instance, or one server of the services file.
Scope = Literal["offer", "service", "instance"]
# What a wrong value in a label costs.
# port: its port is refused, as the default would give it another name, place or part.
# port if meant: the same, but a variable without a port in its name may well be another program's
#   (SERVICE_MODE=production), and then counts as not given.
# setting: only the setting. It says how calls are made, not where they go: the default applies.
# item: only the wrong item of a list.
Cost = Literal["port", "port if meant", "setting", "item"]
_HASH = "hash:"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: SERVICE_<label> on a container, `word` in the services file."""

    label: str
    word: str
    field: str  # of Instance; `check.path` is a field of its Check
    scope: Scope
    own_type: ValueType | None = None  # for what the field's type of value cannot read
    http_only: str = ""  # the field that has no effect in tcp mode
    checks: tuple[Literal["http", "grpc"], ...] = ()  # the kinds that heed it; empty: all kinds
    for_one_port: bool = False  # it can be true of only one of a container's ports
    wrong_costs: Cost = "setting"

    @property
    def type(self) -> ValueType:
        """How it is read."""
        return self.own_type or TYPES[self.field]


# SERVICE_NAME is not here: register/offer/naming.py reads it for all ports of a container at once.
SETTINGS = (
    Setting("IGNORE", "", "ignore", "offer", own_type=Flag(), wrong_costs="port"),
    Setting("NETWORK", "", "network", "offer", own_type=PRINTABLE, wrong_costs="port"),
    Setting("ADDRESS", "", "address", "offer", own_type=PRINTABLE, wrong_costs="port"),
    Setting("PORT", "port", "service_port", "service", for_one_port=True, wrong_costs="port"),
    Setting("MODE", "mode", "mode", "service", for_one_port=True, wrong_costs="port if meant"),
    Setting("HOSTS", "hosts", "hosts", "service", for_one_port=True, wrong_costs="port if meant"),
    Setting("PATH", "path", "paths", "service", for_one_port=True, wrong_costs="port if meant"),
    Setting("ROLE", "role", "role", "instance", wrong_costs="port"),
    Setting("STUB_POLICY", "stub_policy", "stub_policy", "instance", wrong_costs="port"),
    Setting("STUB_UNTIL", "stub_until", "stub_until", "instance"),
    Setting("WEIGHT", "weight", "weight", "instance"),
    Setting("", "zone", "zone", "instance"),
    Setting("", "state", "state", "instance"),
    Setting("CHECK_HTTP", "check.http", "check.path", "service", for_one_port=True),
    Setting("CHECK_TCP", "check.tcp", "check.kind", "service", own_type=Flag()),
    Setting("CHECK_GRPC", "check.grpc", "check.grpc", "service", for_one_port=True),
    Setting("CHECK_STATUS", "check.status", "check.status", "service", checks=("http",)),
    Setting("CHECK_HOST", "check.host", "check.host", "service", checks=("http", "grpc")),
    Setting("CHECK_INTERVAL", "check.interval", "check.interval_ms", "service"),
    Setting("CHECK_TIMEOUT", "check.timeout", "check.timeout_ms", "service"),
    Setting("PANIC", "panic", "panic", "service"),
    Setting("STICKY", "sticky", "sticky", "service", http_only="sticky"),
    Setting("BALANCE", "balance", "balance", "service", http_only="hash_header"),
    Setting("CANARY", "canary", "canary", "instance", http_only="canary", wrong_costs="port"),
    Setting("PROTO", "proto", "proto", "service", http_only="proto", for_one_port=True),
    Setting("RETRY", "retry", "retry", "service", http_only="retry"),
    Setting("REUSE", "reuse", "reuse", "service", http_only="reuse"),
    Setting("TIMEOUT", "timeout", "timeout_ms", "service"),
    Setting("LOG", "log", "log", "service"),
    Setting("LOCALITY", "locality", "locality", "service"),
    Setting("SLOW_START", "slow_start", "slow_start_ms", "instance"),
    Setting("MAXCONN", "maxconn", "maxconn", "instance"),
    Setting("TAGS", "tags", "tags", "instance", wrong_costs="item"),
    Setting("ON_ABSENCE", "", "on_absence", "instance"),
)
LABELS: Mapping[str, Setting] = {setting.label: setting for setting in SETTINGS if setting.label}


def record_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an Instance that settings fill, from their values by `Setting.field`."""
    fields = {name: value for name, value in values.items() if not name.startswith("check.")}
    if len(fields) < len(values):
        fields["check"] = check_of(values)

    balance = fields.get("balance") or ""
    if balance.startswith(_HASH):
        del fields["balance"]
        fields["hash_header"] = balance.removeprefix(_HASH)

    # only http has hosts and paths
    if fields.get("hosts") or fields.get("paths"):
        fields.setdefault("mode", "http")
    return fields


def check_of(values: Mapping[str, Any]) -> Check:
    """Return the health check that settings ask for, from their values by `Setting.field`."""
    fields = {
        name.removeprefix("check."): value
        for name, value in values.items()
        if name.startswith("check.")
    }
    asks_whether_it_accepts = fields.pop("kind", True)

    kind: CheckKind = "none"
    if "path" in fields:
        kind = "http"
    elif asks_whether_it_accepts or fields.get("grpc"):
        kind = "tcp"
    return Check(kind=kind, **fields)
