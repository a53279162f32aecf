"""Lay a configuration out by a template. Pure.

Where the template allows it, that is done listener by listener, and only for those that changed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from catalog.errors import Rejected
from discover.model.http_routes import door_map
from discover.model.proxy_config import OPEN_MARKER, Listener, Process, ProxyConfig
from discover.text.environment import FindTemplate, LayoutRefused, Template, no_other_template
from discover.text.marker import OPEN_MAP_NAME, filled, has_open_marker, map_filled, opened
from discover.text.sample import sample
from discover.text.sections import Section, sections_of
from discover.text.slots import Lines, Seats, lines_of, seated, seats_anew, seats_of
from sidecar.memo import Memo, MemoByName


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of a haproxy.cfg with an open marker, and its sections.

    Two that are equal differ at most in comments.
    """

    # The whole text is long, and most changes do not need it at once.
    pieces: tuple[str, ...] = field(compare=False)
    sections: Mapping[str, Section]
    # The door's map; None for a text without a door.
    routes: Mapping[str, str] | None = None
    # Stubs that no client shall stay with, as `proxy/server`.
    superseded: frozenset[str] = field(default=frozenset(), compare=False)
    # By listener: the slots of its instances. None of a text that was laid out without slots.
    seats: Mapping[str, Seats] = field(default_factory=dict, compare=False)

    @property
    def uneven(self) -> bool:
        """Whether a reload would lay slots out otherwise: it has late ones, or too few are free."""
        return any(seats.uneven for seats in self.seats.values())

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    def marked(self, marker: str) -> str:
        """Return the text to write, with the marker that its worker will show."""
        # The marker stands before all listeners, so in the first piece.
        first, *others = self.pieces
        text = "".join((filled(first, marker), *others))
        return text if self.routes is None else map_filled(text, marker)


# A listener, and the slots of its instances.
_Seated = tuple[Listener, Seats | None]


@dataclass(frozen=True, slots=True)
class _ListenerText:
    """One listener as the template lays it out, or why it cannot."""

    text: str = ""
    sections: Mapping[str, Section] = field(default_factory=dict)
    superseded: frozenset[str] = frozenset()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class _Head:
    """What a template lays out before all listeners, and the listeners that follow it."""

    text: str
    sections: Mapping[str, Section]
    listeners: MemoByName[_Seated, _ListenerText]


class Layout:
    """A compiled template. Raises Rejected for one that is no valid Jinja2, naming the line."""

    def __init__(self, text: str, name: str, find: FindTemplate = no_other_template) -> None:
        self.text = text
        self.name = name
        self._template = Template(text, name, find)
        self._by_listener: bool | None = None
        self._head = Memo(self._head_of)
        self._seats = MemoByName(_seats_of)

    @property
    def others(self) -> Mapping[str, str | None]:
        """The other templates that this one asked for until now; None for one that is missing."""
        return self._template.others

    def render(
        self,
        config: ProxyConfig,
        running: Mapping[str, Section] | None = None,
        *,
        anew: bool = False,
    ) -> Rendered:
        """Return the text for a configuration, with slots for its instances. Raises Rejected.

        An instance keeps its slot in the sections that run. With `anew` slots are laid out as a
        reload can. Without `running` each server has the name of its instance, and none is free.

        The same arguments give the same text. Where the template lays listeners out one after the
        other, at its end, only those that changed since the last time are laid out.
        """
        if self._by_listener is None:
            self._by_listener = self._lays_out_by_listener(config.process)

        seats = {} if running is None else self._seats_in(config, running, anew=anew)
        lay_out = self._in_pieces if self._by_listener else self._at_once
        return replace(lay_out(config, seats), seats=seats)

    def _seats_in(
        self, config: ProxyConfig, running: Mapping[str, Section], *, anew: bool
    ) -> Mapping[str, Seats]:
        given = {each.name: (each, lines_of(each, running)) for each in config.listeners}
        seats = self._seats.get(given)
        if not anew:
            return seats

        again = {name: seats_anew(*given[name]) for name, its in seats.items() if its.uneven}
        return {**seats, **again}

    def _at_once(self, config: ProxyConfig, seats: Mapping[str, Seats]) -> Rendered:
        listeners = tuple(seated(each, seats.get(each.name)) for each in config.listeners)
        config = replace(config, listeners=listeners)
        rendered = rendered_of(self._lay_out(config.process, listeners))
        routes = _routes(rendered.text, config)
        return replace(rendered, routes=routes, superseded=config.superseded)

    def _in_pieces(self, config: ProxyConfig, seats: Mapping[str, Seats]) -> Rendered:
        head = self._head.get(config.process)
        by_name = {each.name: (each, seats.get(each.name)) for each in config.listeners}
        texts = head.listeners.get(by_name)

        if any(text.refused for text in texts.values()):
            raise _refused_for(texts)

        return _put_together(head, texts.values(), _routes(head.text, config))

    def _head_of(self, process: Process) -> _Head:
        text = self._lay_out(process, ())

        def after_head(_name: str, given: _Seated) -> _ListenerText:
            return self._listener_text(process, seated(*given), text)

        return _Head(text, rendered_of(text).sections, MemoByName(after_head))

    def _listener_text(self, process: Process, listener: Listener, head: str) -> _ListenerText:
        try:
            text = self._lay_out(process, (listener,)).removeprefix(head)
            sections = sections_of(text)
        except Rejected as error:
            return _ListenerText(refused=str(error))

        titled = {title: section for title, section in sections.items() if title}
        return _ListenerText(text, titled, listener.superseded)

    def _lays_out_by_listener(self, process: Process) -> bool:
        """Whether listeners of all kinds give the same text at once as one after the other."""
        all_kinds = sample(process)
        process = all_kinds.process
        head = self._lay_out(process, ())
        texts = [self._lay_out(process, (listener,)) for listener in all_kinds.listeners]
        if not all(text.startswith(head) for text in texts):
            return False

        at_once = self._lay_out(process, all_kinds.listeners)
        return at_once == head + "".join(text.removeprefix(head) for text in texts)

    def _lay_out(self, process: Process, listeners: tuple[Listener, ...]) -> str:
        text = self._template.lay_out(marker=OPEN_MARKER, process=process, listeners=listeners)
        if not has_open_marker(text):
            right = "its global section needs the line `description {{ marker }}`"
            raise Rejected(f"template {self.name}: the marker is missing, {right}")

        return text


def rendered_of(text: str) -> Rendered:
    """Return a text, from a template or from a file, as what it says, with an open marker."""
    text = opened(text)
    return Rendered(_ending_with_newline((text,)), sections_of(text))


def _seats_of(_name: str, given: tuple[Listener, Lines]) -> Seats:
    return seats_of(*given)


def _put_together(
    head: _Head, texts: Collection[_ListenerText], routes: Mapping[str, str] | None
) -> Rendered:
    pieces = (head.text, *[text.text for text in texts])
    superseded = frozenset().union(*[text.superseded for text in texts if text.superseded])

    sections = dict(head.sections)
    for text in texts:
        sections.update(text.sections)

    return Rendered(_ending_with_newline(pieces), sections, routes, superseded)


def _routes(text: str, config: ProxyConfig) -> Mapping[str, str] | None:
    has_map = config.process.door or config.process.intercepting
    return door_map(config) if has_map and OPEN_MAP_NAME in text else None


def _ending_with_newline(pieces: tuple[str, ...]) -> tuple[str, ...]:
    # HAProxy's check passes a file that was cut off at a line end, but none without a last newline.
    last = pieces[-1]
    if len(last) > 1 and last[-1] == "\n" and not last[-2].isspace():
        return pieces

    return ("".join(pieces).rstrip() + "\n",)


def _refused_for(texts: Mapping[str, _ListenerText]) -> LayoutRefused:
    why = {name: text.refused for name, text in texts.items() if text.refused}
    refused = LayoutRefused(next(iter(why.values())))
    refused.why = why
    return refused
