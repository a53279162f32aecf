"""One line a fact: words first, then key=value; or JSON for collectors."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from sidecar.flood import Flood, args_of

LEVELS = ("debug", "info", "warning", "error")


class Details(dict[str, Any]):
    """The key=value part of a line: `log.info("published %s", Details(service="web"))`."""

    def __str__(self) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in self.items())


def _quoted(value: object) -> str:
    text = str(value)
    is_plain = text.isprintable() and " " not in text and '"' not in text
    return text if text and is_plain else json.dumps(text)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        line = f"{_when(record)} {level:7} {_one_line(record.getMessage())}"
        if record.exc_info:
            return f"{line}\n{self.formatException(record.exc_info)}"
        return line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for details in args_of(record):
            if isinstance(details, Details):
                for key, value in details.items():
                    line.setdefault(key, str(value))

        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _when(record: logging.LogRecord) -> str:
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{second}.{int(record.msecs):03d}Z"


def _one_line(text: str) -> str:
    # A label may hold a newline; a log line must not be two.
    if "\n" not in text and "\r" not in text:
        return text

    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def setup(level: str, style: str) -> None:
    """Send every logger's lines to standard error; `style` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    if level != "debug":
        handler.addFilter(Flood())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)

    # Libraries below us repeat at info what the actors say once.
    for name in ("urllib3", "docker", "watchdog", "grpc"):
        logging.getLogger(name).setLevel(logging.WARNING)


def announce(program: str, settings: Mapping[str, str]) -> None:
    """Log the effective settings, one line, secrets already masked."""
    logging.getLogger(program).info("%s starts %s", program, Details(settings))
