"""Lay a configuration out by a template. The only user of Jinja2; reads and writes no file."""

import hashlib
import re
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    nodes,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from catalog.errors import Rejected
from discover.model.config import MAP_NAME, OPEN_MARKER, Listener, Process, ProxyConfig, Verbatim
from discover.model.http_routes import map_of
from discover.text.sample import sample
from discover.text.sections import Section, sections_of

SHIPPED = "haproxy.cfg.j2"  # the name by which any template may extend the one that comes with docker-discover
INLINE = frozenset({"server_options"})  # blocks that are part of a line
MARKER_DIGITS = len(OPEN_MARKER)
_PLACEHOLDER = OPEN_MARKER
_MAP = MAP_NAME.format(OPEN_MARKER)
_MARKER = re.compile(rf"^(\s+description )([0-9a-f]{{{MARKER_DIGITS}}})$", re.MULTILINE)
_OPEN = re.compile(rf"^(\s+description ){_PLACEHOLDER}$", re.MULTILINE)
# What no value needs, HAProxy would read as its own: quotes, \, #, $, white space (management manual 2.2).
_SAFE = re.compile(r"[A-Za-z0-9._:/\[\]@%,=*+~!&();?-]*")


# Returns the text of another template by its name, None if there is none; raises Rejected for a name that may not be.
Find = Callable[[str], str | None]


def alone(_name: str) -> None:
    """Find no other template."""


class Unlaid(Rejected):
    """A template cannot lay a configuration out; if it is about some listeners alone, `why` has what of each."""

    why: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rendered:
    """A haproxy.cfg, its marker still open, and what is in it; two that say the same differ at most in comments."""

    pieces: tuple[str, ...] = field(
        compare=False
    )  # of its text, which is long: most changes do not need it at once
    sections: Mapping[str, Section]
    routes: Mapping[str, str] | None = None  # the map of the door; None for a text that has no door
    superseded: frozenset[str] = field(
        default=frozenset(), compare=False
    )  # stubs that nobody shall stay with

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class _Part:
    """One listener as the template lays it out."""

    listener: Listener
    text: str
    sections: Mapping[str, Section]
    superseded: frozenset[str]


class _Loader(BaseLoader):
    """Others that a template extends, includes or imports: each is found once, so that an edit makes no mixture."""

    def __init__(self, find: Find) -> None:
        self.found: dict[str, str | None] = {}
        self._find = find

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in self.found:
            self.found[template] = None  # also if it may not be used
            self.found[template] = self._find(template)
        if (text := self.found[template]) is None:
            raise TemplateNotFound(template, f"there is no {template!r} beside it")
        return text, _shown(template), None


class _Environment(ImmutableSandboxedEnvironment):
    """Values are checked where they are printed, so what a block or a macro laid out of them is good as it is."""

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        return Verbatim("".join(parts))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """End each block with a line end, also where text stands before `{% endblock %}`: no lines are joined."""
        tree = super()._parse(source, name, filename)
        for block in tree.find_all(nodes.Block):
            last = block.body[-1] if block.body and block.name not in INLINE else None
            if isinstance(last, nodes.Output) and not str(
                getattr(last.nodes[-1], "data", "")
            ).endswith("\n"):
                last.nodes.append(nodes.TemplateData("\n"))
        self._refuse_stray(tree, name, filename)
        return tree

    def _refuse_stray(self, tree: nodes.Template, name: str | None, filename: str | None) -> None:
        """Refuse a block that the shipped template does not have, in one that extends it: nobody would lay it out."""
        parent = tree.find(nodes.Extends)
        if parent is None or parent.template != nodes.Const(SHIPPED):
            return
        try:
            shipped = self.get_template(SHIPPED).blocks
        except TemplateNotFound:
            return  # which is said when it is laid out
        called = {
            it.attr for it in tree.find_all(nodes.Getattr) if it.node == nodes.Name("self", "load")
        }
        inner = {
            block.name
            for outer in tree.find_all(nodes.Block)
            for block in outer.find_all(nodes.Block)
        }
        for block in tree.find_all(nodes.Block):
            if block.name not in shipped.keys() | called | inner:
                text = (
                    f"no block {block.name!r} in {SHIPPED}; there are {', '.join(sorted(shipped))}"
                )
                raise TemplateSyntaxError(text, block.lineno, name, filename)


class Layout:
    """A compiled template. Raises Rejected for one that is no valid Jinja2, naming the line."""

    def __init__(self, text: str, name: str, find: Find = alone) -> None:
        self.text = text
        self.name = name
        self._loader = _Loader(find)
        self._by_parts: bool | None = None
        self._head: tuple[Process, str, Mapping[str, Section]] | None = None
        self._known: dict[str, _Part] = {}
        environment = _Environment(
            loader=self._loader,
            cache_size=-1,
            undefined=StrictUndefined,
            finalize=_safe,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        try:
            code = environment.compile(text, name=name, filename=name)
            self._template = environment.template_class.from_code(
                environment, code, environment.make_globals(None)
            )
        except Exception as error:
            raise self._unlaid(error) from error

    @property
    def others(self) -> Mapping[str, str | None]:
        """The other templates that were asked for until now; None stands for one that was not there."""
        return self._loader.found

    def render(self, config: ProxyConfig) -> Rendered:
        """Return the text for a configuration: the same configuration gives the same text. Raises Rejected.

        Where the template lays listeners out one after the other, at its end, only those are laid out that are not
        the same objects as before.
        """
        if self._by_parts is None:
            self._by_parts = self._comes_by_parts(config)
        if not self._by_parts:
            whole = rendered_of(self._laid_out(config))
            return replace(whole, routes=_routes(whole.text, config), superseded=config.superseded)
        if self._head is None or self._head[0] != config.process:
            text = self._laid_out(replace(config, listeners=()))
            self._head, self._known = (config.process, text, rendered_of(text).sections), {}
        _, head, sections = self._head
        parts = self._parts(config, head)
        pieces = _normal((head, *(part.text for part in parts)))
        return Rendered(pieces, _all_of(sections, parts), _routes(head, config), _superseded(parts))

    def _parts(self, config: ProxyConfig, head: str) -> Collection[_Part]:
        """Return all listeners laid out, in their order; only those that are other objects are laid out now."""
        known = self._known
        stale = [
            it
            for it in config.listeners
            if it.name not in known or known[it.name].listener is not it
        ]
        fresh = {listener.name: self._part(config, listener, head) for listener in stale}
        bad = {name: str(part) for name, part in fresh.items() if isinstance(part, Rejected)}
        good = {name: part for name, part in fresh.items() if isinstance(part, _Part)}
        known = {**known, **good}
        self._known = {it.name: known[it.name] for it in config.listeners if it.name not in bad}
        if bad:
            raise _of(bad)
        return self._known.values()

    def _comes_by_parts(self, config: ProxyConfig) -> bool:
        """Whether all kinds of listeners give the same text at once as one after the other."""
        whole = sample(config.process)
        head = self._laid_out(replace(whole, listeners=()))
        texts = [
            self._laid_out(replace(whole, listeners=(listener,))) for listener in whole.listeners
        ]
        if not all(text.startswith(head) for text in texts):
            return False
        return self._laid_out(whole) == head + "".join(text.removeprefix(head) for text in texts)

    def _part(self, config: ProxyConfig, listener: Listener, head: str) -> _Part | Rejected:
        try:
            text = self._laid_out(replace(config, listeners=(listener,))).removeprefix(head)
            sections = sections_of(text)
        except Rejected as error:
            return error
        titled = {title: section for title, section in sections.items() if title}
        return _Part(listener, text, titled, listener.superseded)

    def _laid_out(self, config: ProxyConfig) -> str:
        variables = {field.name: getattr(config, field.name) for field in fields(config)}
        try:
            text = str(self._template.render(marker=_PLACEHOLDER, **variables))
        except Exception as error:
            raise self._unlaid(error) from error
        if not _OPEN.search(text):
            right = "its global section needs the line `description {{ marker }}`"
            raise Rejected(f"template {self.name}: the marker is missing, {right}")
        return text

    def _unlaid(self, error: Exception) -> Unlaid:
        """Return what is wrong, with the file and line where it is."""
        if isinstance(error, TemplateSyntaxError):
            return Unlaid(
                f"template {error.filename or self.name} line {error.lineno}: {error.message}"
            )
        files = {self.name, *map(_shown, self.others)}
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files
        ]
        where = (
            f"{frames[-1].filename} line {frames[-1].lineno}" if frames else f"{self.name} line ?"
        )
        return Unlaid(f"template {where}: {_one_line(error)}")


def _all_of(head: Mapping[str, Section], parts: Iterable[_Part]) -> Mapping[str, Section]:
    sections = dict(head)
    for part in parts:
        sections.update(part.sections)
    return sections


def _superseded(parts: Iterable[_Part]) -> frozenset[str]:
    return frozenset(stub for part in parts if part.superseded for stub in part.superseded)


def rendered_of(text: str) -> Rendered:
    """Return a text, from a template or from a file, as what it says; whichever marker it has is opened again."""
    opened = _MARKER.sub(rf"\g<1>{_PLACEHOLDER}", text, count=1)
    if marker := marker_of(text):
        opened = opened.replace(MAP_NAME.format(marker), _MAP)
    return Rendered(_normal((opened,)), sections_of(opened))


def _routes(text: str, config: ProxyConfig) -> Mapping[str, str] | None:
    return map_of(config) if config.process.door and _MAP in text else None


def _normal(pieces: tuple[str, ...]) -> tuple[str, ...]:
    # A file cut off at a line end passes HAProxy's check; one without a last newline does not.
    last = pieces[-1]
    if len(last) > 1 and last[-1] == "\n" and not last[-2].isspace():
        return pieces
    return ("".join(pieces).rstrip() + "\n",)


def marked(rendered: Rendered, marker: str) -> str:
    """Return the text to write, with the marker by which the worker that runs it is known."""
    first, *others = rendered.pieces  # the marker is in what comes before all listeners
    text = "".join((_OPEN.sub(rf"\g<1>{marker}", first, count=1), *others))
    return text if rendered.routes is None else text.replace(_MAP, MAP_NAME.format(marker))


def next_marker(rendered: Rendered, now: str | None) -> str:
    """Return a marker that no worker shows yet: of the text, and of the marker that is shown now."""
    return hashlib.sha256(f"{now} {rendered.text}".encode()).hexdigest()[:MARKER_DIGITS]


def marker_of(text: str) -> str | None:
    """Return the marker that stands in a text."""
    match = _MARKER.search(text)
    return match[2] if match else None


def _safe(value: Any) -> Any:
    """Refuse what could begin another word or line, wherever a template prints it."""
    if isinstance(value, StrictUndefined | Verbatim):
        return value  # printing the first raises, with the name that is missing
    if not _SAFE.fullmatch(text := str(value)):
        raise ValueError(f"{text!r:.80} has a character that no value may have")
    return text


def _of(why: Mapping[str, str]) -> Unlaid:
    unlaid = Unlaid(next(iter(why.values())))
    unlaid.why = why
    return unlaid


def _shown(name: str) -> str:
    return f"{name} (shipped)" if name == SHIPPED else name


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
