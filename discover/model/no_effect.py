"""Settings that a record has and that nothing heeds: they need http, or an http check. No I/O."""

from collections.abc import Iterable

from catalog.records.record import DEFAULTS, Check, Instance
from catalog.values.vocabulary import SETTINGS, Setting
from discover.model.ownership import OLDEST
from discover.reasons import because
from discover.snapshot.snapshot import Record
from sidecar.status.problems import Problem

_HTTP_ONLY = tuple(setting for setting in SETTINGS if setting.http_only)
_OF_SOME_CHECKS = tuple(setting for setting in SETTINGS if setting.checks)


def without_effect(record: Record) -> Problem | None:
    """Return which settings of a record have no effect, and what would give them one."""
    instance = record.instance
    in_file = record.created == OLDEST
    asks: list[str] = []

    if settings := _without_http(instance):
        right = "mode: http" if in_file else "SERVICE_MODE=http"
        asks.append(
            f"{_names(settings, in_file)}, which needs http mode: set {right} if it speaks http"
        )
    if settings := _without_http_check(instance.check):
        right = "check: {http: <path>}" if in_file else "SERVICE_CHECK_HTTP=<path>"
        asks.append(
            f"{_names(settings, in_file)}, which needs an http check:"
            f" set {right} if it has a page to check"
        )

    if not asks:
        return None
    name = f"{record.key.service} {instance.container_name or record.key.name}"
    return because("NO_EFFECT", f"{name} sets {'; and '.join(asks)}")


def _without_http(instance: Instance) -> list[Setting]:
    if instance.mode == "http":
        return []
    return [
        setting
        for setting in _HTTP_ONLY
        if getattr(instance, setting.http_only) != DEFAULTS[setting.http_only]
    ]


def _without_http_check(check: Check) -> list[Setting]:
    kind = "grpc" if check.grpc else check.kind
    return [
        setting
        for setting in _OF_SOME_CHECKS
        if kind not in setting.checks and getattr(check, setting.field.removeprefix("check."))
    ]


def _names(settings: Iterable[Setting], in_file: bool) -> str:
    """Return settings in the spelling in which they were written: labels, or words of the file."""
    return ", ".join(
        f"{setting.word}:" if in_file else f"SERVICE_{setting.label}" for setting in settings
    )
