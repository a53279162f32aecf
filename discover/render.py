"""Lay a configuration out by a template. The only user of Jinja2; reads and writes no file."""

import hashlib
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from catalog.errors import Rejected
from discover.layout import Section, sections_of
from discover.model import Listener, Process, ProxyConfig
from discover.sample import sample

MARKER_DIGITS = 12
_PLACEHOLDER = "0" * MARKER_DIGITS
_MARKER = re.compile(rf"^(\s+description )([0-9a-f]{{{MARKER_DIGITS}}})$", re.MULTILINE)
_OPEN = re.compile(rf"^(\s+description ){_PLACEHOLDER}$", re.MULTILINE)
# What no value needs, HAProxy would read as its own: quotes, \, #, $, white space (management manual 2.2).
_SAFE = re.compile(r"[A-Za-z0-9._:/\[\]@%,=*+~!&();?-]*")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of a haproxy.cfg, its marker still open, and what is in it."""

    text: str
    sections: Mapping[str, Section]


@dataclass(frozen=True, slots=True)
class _Part:
    """One listener as the template lays it out."""

    listener: Listener
    text: str
    sections: Mapping[str, Section]


class Layout:
    """A compiled template. Raises Rejected for one that is no valid Jinja2, naming the line."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self._name = name
        self._by_parts: bool | None = None
        self._head: tuple[Process, str] | None = None
        self._known: dict[str, _Part] = {}
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, finalize=_safe, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        try:
            code = environment.compile(text, name=name, filename=name)
            self._template = environment.template_class.from_code(environment, code, environment.make_globals(None))
        except TemplateSyntaxError as error:
            raise Rejected(f"template {name} line {error.lineno}: {error.message}") from error
        except Exception as error:
            raise Rejected(f"template {name}: {_one_line(error)}") from error

    def render(self, config: ProxyConfig) -> Rendered:
        """Return the text for a configuration: the same configuration gives the same text. Raises Rejected.

        Where the template lays listeners out one after the other, at its end, only those are laid out that are not
        the same objects as before.
        """
        if self._by_parts is None:
            self._by_parts = self._comes_by_parts(config)
        if not self._by_parts:
            return rendered_of(self._laid_out(config))
        if self._head is None or self._head[0] != config.process:
            self._head, self._known = (config.process, self._laid_out(replace(config, listeners=()))), {}
        head = self._head[1]
        known, self._known = self._known, {}
        sections = dict(rendered_of(head).sections)
        for listener in config.listeners:
            part = known.get(listener.name)
            if part is None or part.listener is not listener:
                part = self._part(config, listener, head)
            self._known[listener.name] = part
            sections.update(part.sections)
        text = head + "".join(part.text for part in self._known.values())
        return Rendered(_normal(text), sections)

    def _comes_by_parts(self, config: ProxyConfig) -> bool:
        """Whether all kinds of listeners give the same text at once as one after the other."""
        whole = sample(config.process)
        head = self._laid_out(replace(whole, listeners=()))
        texts = [self._laid_out(replace(whole, listeners=(listener,))) for listener in whole.listeners]
        if not all(text.startswith(head) for text in texts):
            return False
        return self._laid_out(whole) == head + "".join(text.removeprefix(head) for text in texts)

    def _part(self, config: ProxyConfig, listener: Listener, head: str) -> _Part:
        text = self._laid_out(replace(config, listeners=(listener,))).removeprefix(head)
        sections = sections_of(text)
        return _Part(listener, text, {title: section for title, section in sections.items() if title})

    def _laid_out(self, config: ProxyConfig) -> str:
        variables = {field.name: getattr(config, field.name) for field in fields(config)}
        try:
            text: str = self._template.render(marker=_PLACEHOLDER, **variables)
        except Exception as error:
            raise Rejected(f"template {self._name} line {_line(error, self._name)}: {_one_line(error)}") from error
        if not _OPEN.search(text):
            right = "its global section needs the line `description {{ marker }}`"
            raise Rejected(f"template {self._name}: the marker is missing, {right}")
        return text


def rendered_of(text: str) -> Rendered:
    """Return a text, from a template or from a file, as what it says; whichever marker it has is opened again."""
    opened = _normal(_MARKER.sub(rf"\g<1>{_PLACEHOLDER}", text, count=1))
    return Rendered(opened, sections_of(opened))


def _normal(text: str) -> str:
    # A file cut off at a line end passes HAProxy's check; one without a last newline does not.
    return text.rstrip() + "\n"


def marked(rendered: Rendered, marker: str) -> str:
    """Return the text to write, with the marker by which the worker that runs it is known."""
    return _OPEN.sub(rf"\g<1>{marker}", rendered.text, count=1)


def next_marker(rendered: Rendered, now: str | None) -> str:
    """Return a marker that no worker shows yet: of the text, and of the marker that is shown now."""
    return hashlib.sha256(f"{now} {rendered.text}".encode()).hexdigest()[:MARKER_DIGITS]


def marker_of(text: str) -> str | None:
    """Return the marker that stands in a text."""
    match = _MARKER.search(text)
    return match[2] if match else None


def _safe(value: Any) -> Any:
    """Refuse what could begin another word or line, wherever a template prints it."""
    if isinstance(value, StrictUndefined):
        return value  # printing it raises, with the name that is missing
    if not _SAFE.fullmatch(text := str(value)):
        raise ValueError(f"{text!r:.80} has a character that no value may have")
    return text


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _line(error: BaseException, name: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return str(lines[-1]) if lines else "?"
