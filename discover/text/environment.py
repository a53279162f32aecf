"""Jinja2 in a sandbox: compile a template, lay values out by it, and say where it is wrong.

The only user of Jinja2. It reads no file: other templates come from a function that finds them.
"""

import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from catalog.errors import Rejected
from catalog.without_modules import as_if_missing, without_modules
from discover.model.proxy_config import Verbatim

# Jinja2 can keep compiled templates on a disk, with pickle; and it takes digests of their names.
with without_modules("jinja2.bccache"), as_if_missing("_hashlib"):
    from jinja2 import (
        BaseLoader,
        Environment,
        StrictUndefined,
        TemplateNotFound,
        TemplateSyntaxError,
        nodes,
    )
    from jinja2.sandbox import ImmutableSandboxedEnvironment

# Any template may extend the one that comes with docker-discover by this name.
SHIPPED = "haproxy.cfg.j2"

# These blocks are part of a line.
INLINE_BLOCKS = frozenset({"server_options"})

# HAProxy gives a meaning to all other characters that could stand in a value: quotes, \, #, $ and
# white space (management manual 2.2).
_SAFE_VALUE = re.compile(r"[A-Za-z0-9._:/\[\]@%,=*+~!&();?-]*")

# Returns the text of another template by its name, or None if there is no such template.
# Raises Rejected for a name that must not be used.
FindTemplate = Callable[[str], str | None]


def no_other_template(_name: str) -> None:
    """Find nothing: for a template that stands alone."""


class LayoutRefused(Rejected):
    """A template cannot lay a configuration out.

    If only some listeners are to blame, `why` has the reason for each of them by its name.
    """

    why: Mapping[str, str] = MappingProxyType({})


class Template:
    """A compiled template. Raises LayoutRefused for invalid Jinja2, naming the line."""

    def __init__(self, text: str, name: str, find: FindTemplate) -> None:
        self._name = name
        self._loader = _Loader(find)
        environment = _Sandbox(
            loader=self._loader,
            cache_size=-1,
            undefined=StrictUndefined,
            finalize=_checked,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

        try:
            code = environment.compile(text, name=name, filename=name)
            variables = environment.make_globals(None)
            self._compiled = environment.template_class.from_code(environment, code, variables)
        except Exception as error:
            raise self._refused(error) from error

    @property
    def others(self) -> Mapping[str, str | None]:
        """The other templates that this one asked for until now; None for one that is missing."""
        return self._loader.found

    def lay_out(self, **values: object) -> str:
        """Return the text for these values. Raises LayoutRefused."""
        try:
            return str(self._compiled.render(**values))
        except Exception as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> LayoutRefused:
        """Return what is wrong, with the file and the line where it is."""
        if isinstance(error, TemplateSyntaxError):
            file = error.filename or self._name
            return LayoutRefused(f"template {file} line {error.lineno}: {error.message}")

        return LayoutRefused(f"template {self._where(error)}: {_one_line(error)}")

    def _where(self, error: Exception) -> str:
        """Return the innermost line of a template that an error went through."""
        files = {self._name, *map(_file_name, self.others)}
        frames = traceback.extract_tb(error.__traceback__)

        for frame in reversed(frames):
            if frame.filename in files:
                return f"{frame.filename} line {frame.lineno}"

        return f"{self._name} line ?"


class _Loader(BaseLoader):
    """The other templates that a template extends, includes or imports.

    Each is looked for once, so that one layout never mixes two versions of a file.
    """

    def __init__(self, find: FindTemplate) -> None:
        self.found: dict[str, str | None] = {}
        self._find = find

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in self.found:
            # Also noted if `find` refuses the name.
            self.found[template] = None
            self.found[template] = self._find(template)

        text = self.found[template]
        if text is None:
            raise TemplateNotFound(template, f"there is no {template!r} beside it")

        return text, _file_name(template), None


class _Sandbox(ImmutableSandboxedEnvironment):
    """Checks values where they are printed, so the text of a block or macro is good as it is."""

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        return Verbatim("".join(parts))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)

        for block in tree.find_all(nodes.Block):
            if block.name not in INLINE_BLOCKS:
                _end_with_newline(block)

        self._refuse_unknown_blocks(tree, name, filename)
        return tree

    def _refuse_unknown_blocks(
        self, tree: nodes.Template, name: str | None, filename: str | None
    ) -> None:
        """Refuse a block that the shipped template lacks, in a template that extends it.

        Jinja2 would silently leave such a block out.
        """
        parent = tree.find(nodes.Extends)
        if parent is None or parent.template != nodes.Const(SHIPPED):
            return

        try:
            shipped = self.get_template(SHIPPED).blocks.keys()
        except TemplateNotFound:
            return  # laying it out reports that

        known = shipped | _blocks_called_by_self(tree) | _nested_blocks(tree)
        for block in tree.find_all(nodes.Block):
            if block.name not in known:
                there_are = ", ".join(sorted(shipped))
                text = f"no block {block.name!r} in {SHIPPED}; its blocks are {there_are}"
                raise TemplateSyntaxError(text, block.lineno, name, filename)


def _end_with_newline(block: nodes.Block) -> None:
    """End a block with a line end, also where text stands before `{% endblock %}`.

    Otherwise its last line would run into the next one.
    """
    last = block.body[-1] if block.body else None
    if not isinstance(last, nodes.Output):
        return

    text = str(getattr(last.nodes[-1], "data", ""))
    if not text.endswith("\n"):
        last.nodes.append(nodes.TemplateData("\n"))


def _blocks_called_by_self(tree: nodes.Template) -> set[str]:
    """Return the names that a template uses as `self.<name>()`."""
    me = nodes.Name("self", "load")
    return {use.attr for use in tree.find_all(nodes.Getattr) if use.node == me}


def _nested_blocks(tree: nodes.Template) -> set[str]:
    """Return the names of blocks that stand inside another block."""
    names: set[str] = set()
    for outer in tree.find_all(nodes.Block):
        names.update(inner.name for inner in outer.find_all(nodes.Block))

    return names


def _checked(value: Any) -> Any:
    """Return a value as it may be printed; refuse one that could begin another word or line."""
    # Printing an undefined value raises, with the name that is missing.
    if isinstance(value, StrictUndefined | Verbatim):
        return value

    text = str(value)
    if not _SAFE_VALUE.fullmatch(text):
        raise ValueError(f"{text!r:.80} has a character that is not allowed in values")

    return text


def _file_name(template: str) -> str:
    return f"{template} (shipped)" if template == SHIPPED else template


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
