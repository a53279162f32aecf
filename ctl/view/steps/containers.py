"""What docker-registers say: each container, step by step until it is published. No I/O."""

from collections.abc import Iterator, Mapping
from typing import Any

from ctl.asking import Heard
from ctl.view.steps.step import STAGES, Step, refusal


def container_steps(heard: Heard) -> Iterator[Step]:
    """Yield the steps of all containers of a host that it is about."""
    if heard.answer.status == "failed":
        yield Step("–", heard.host, f"docker-register: {heard.answer.text}")
    for row in heard.answer.rows:
        yield from sorted(_steps(heard.host, row), key=lambda step: STAGES.index(step.stage))


def _steps(host: str, row: Mapping[str, Any]) -> Iterator[Step]:
    name = f"{row.get('name', '?')} {row.get('container', '')}".strip()
    words = _words(row)
    refused = [refusal(host, it, **words) for it in row.get("refused", ())]
    yield from refused
    if "status" in row:
        yield _container(host, name, row)

    # What lies before the first refusal was passed, also where nothing is published.
    stopped = [STAGES.index(step.stage) for step in refused if step.mark == "✗"]
    passed = STAGES[: min(stopped)] if stopped and not row.get("published") else STAGES
    if row.get("asks") and "asks" in passed:
        yield Step("✓", host, f"asks for a service: {', '.join(row['asks'])}", stage="asks")
    if row.get("ports") and "port" in passed:
        yield Step("✓", host, f"publishes {', '.join(row['ports'])}", stage="port")
    for it in row.get("published", ()):
        yield _published(host, name, it)


def _words(row: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what fills in a remedy."""
    asked = [text.rpartition("=")[2] for text in row.get("asks", ()) if "=" in text]
    words = {"container": str(row.get("name", "")), "service": asked[0] if asked else ""}
    return {word: text for word, text in words.items() if text}


def _container(host: str, name: str, row: Mapping[str, Any]) -> Step:
    status, health = row.get("status"), row.get("health")
    is_well = status == "running" and health != "unhealthy"
    with_health = f", {health}" if health and health != "none" else ""
    text = f"container {name} ({row.get('image', '?')}) is {status}{with_health}"
    help_ = "" if is_well else f"on {host}: docker logs --tail 50 {row.get('name', '<container>')}"
    return Step("✓" if is_well else "✗", host, text, help=help_, stage="container")


def _published(host: str, name: str, it: Mapping[str, Any]) -> Step:
    is_ready = it.get("state") == "ready"
    text = (
        f"{name} is published as {it.get('service')}:{it.get('service_port') or 'auto'} "
        f"at {it.get('address')}, {it.get('state')}"
    )
    return Step(
        "✓" if is_ready else "✗",
        host,
        text + (", a stub" if it.get("role") == "stub" else ""),
        help="" if is_ready else "draining: it is stopping, paused, unhealthy or drained",
        stage="ready",
    )
