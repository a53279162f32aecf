"""Ask this machine's docker-discover at its METRICS: what it serves while etcd is away."""

import json
from collections.abc import Mapping
from typing import Any

from catalog.host_port import split_host_port

DEFAULT = "127.0.0.1:9302"
ANSWER_S = 2.0


def own_proxy(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return what it explains, with `not_ready` as its text; None if there is none here."""
    host, port = split_host_port(environ.get("METRICS") or DEFAULT)
    if not port.isdecimal() or not host:
        return None

    status, ready = _got(host, int(port), "/readyz")
    _, text = _got(host, int(port), "/explain")
    try:
        explained = json.loads(text)
    except ValueError:
        return None
    if not isinstance(explained, dict) or "listeners" not in explained:
        return None
    return {**explained, "not_ready": "" if status == 200 else ready.strip()}


def _got(host: str, port: int, path: str) -> tuple[int, str]:
    from http.client import HTTPConnection, HTTPException  # brings ssl  # noqa: PLC0415

    connection = HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()
