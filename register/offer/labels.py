"""The labels of a container: which are ours, and which wins. No I/O.

A label beats an environment variable of the same name, and SERVICE_<port>_X beats SERVICE_X,
whichever of the two each is, as in registrator. Docker merges the image's labels and variables into
the container's own and does not say which are which: so an image's label beats a container's
variable. An empty text counts as not given; an empty label thus takes a variable back.

A variable counts only if its name is one of ours: variables hold secrets. Free attributes are
labels. A variable such as SERVICE_MODE may also be another program's: with a wrong value it counts
as not given, where that leads no call elsewhere.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from catalog.errors import Rejected
from catalog.values.rules import PORT_MAX
from catalog.values.secrets import unless_secret
from catalog.values.value_types import Flag
from catalog.values.vocabulary import LABELS
from register.docker.container import Container
from register.offer import foreign_words
from register.offer.attributes import is_secret, is_text, not_kept
from register.reasons import because
from sidecar.status.problems import Problem

# What is for UDP is about no port of ours.
_KEY = re.compile(r"SERVICE_(?:(?P<port>[1-9][0-9]{0,4})_(?!(?i:udp)_))?(?P<name>.+)", re.DOTALL)
OURS = LABELS.keys() | {"NAME"}
_TCP = "TCP_"  # the living fork of registrator also writes SERVICE_80_TCP_NAME
# These are one choice: a tcp check for one port beats an http check for all.
CHECK_CHOICE = frozenset({"CHECK_HTTP", "CHECK_TCP", "CHECK_GRPC"})
# Without the first the second would bring calls that were never meant: so the first was meant.
KEEPS_CALLS_FROM = {"PATH": "HOSTS", "WEIGHT": "CANARY"}
# With one of these a container asks to be offered; IGNORE does not.
_ASKING = OURS - {"IGNORE"}


@dataclass(frozen=True, slots=True)
class LabelText:
    """A label as it was given: its whole name, for messages, and its text.

    `is_vague`: a variable that may just as well be another program's.
    """

    key: str
    value: str
    is_vague: bool = False


LabelTexts = Mapping[str, LabelText]  # by the label's name without SERVICE_


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one container that are ours, not yet read.

    `web_port` is the one that VIRTUAL_PORT names. `notes` say, by label, what is not read.
    """

    container: str
    general: LabelTexts
    by_port: Mapping[int, LabelTexts]
    web_port: int | None = None
    notes: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that per-port labels name, to be ignored or not."""
        return tuple(sorted(self.by_port))

    @property
    def ignored(self) -> bool:
        """Whether a label takes all ports out."""
        text = self.general.get("IGNORE")
        try:
            return text is not None and Flag().from_label(text.value)
        except Rejected:
            return False

    def specific(self, port: int) -> LabelTexts:
        """Return what was given for this port alone."""
        return self.by_port.get(port, {})

    def of(self, port: int) -> LabelTexts:
        """Return what holds for a port."""
        general = dict(self.general)
        specific = self.specific(port)

        if CHECK_CHOICE & specific.keys():
            for name in CHECK_CHOICE:
                general.pop(name, None)
        return {**general, **specific}

    def asks(self, port: int | None = None) -> bool:
        """Whether any setting but IGNORE is given, for this port or for all."""
        given = self.general if port is None else self.of(port)
        return bool(_ASKING & given.keys())


def labels_of(container: Container) -> Labels:
    """Return those of a container's labels and variables that are ours; it never raises."""
    variables = {key: text for key, text in _named(container.env) if _is_known(key)}
    labels = dict(_named(container.labels))
    general: dict[str, LabelText] = {}
    by_port: dict[int, dict[str, LabelText]] = {}
    not_read: dict[str, list[str]] = {}
    secret: list[str] = []
    odd: list[str] = []

    for key, value in {**variables, **labels}.items():
        port, name = _split(key)
        if not name or not value or port > PORT_MAX:
            continue

        texts = by_port.setdefault(port, {}) if port else general
        if why := foreign_words.not_ours(key, name, is_label=key in labels):
            not_read.setdefault(why, []).append(key)
        elif name in OURS:
            texts[name] = LabelText(key, value, is_vague=not port and key not in labels)
        elif is_secret(name, value):
            secret.append(key)
        elif is_text(name, value):
            texts[name] = LabelText(key, value)
        else:
            odd.append(key)

    words = foreign_words.read_nginx_words(container.name, {**variables, **labels})
    strangers = _take_strangers(container.name, general, by_port, words)
    _add_nginx_words(words, general, by_port)
    notes = {
        **not_kept(container.name, sorted(secret), sorted(odd)),
        **foreign_words.not_read(container.name, not_read),
        **words.notes,
        **strangers,
    }
    return Labels(container.name, general, by_port, words.port, notes)


def _take_strangers(
    container: str,
    general: dict[str, LabelText],
    by_port: Mapping[int, LabelTexts],
    words: foreign_words.NginxWords,
) -> dict[str, Problem]:
    """Take out the variables that seem to be another program's, and return what is said of them."""
    reasons = {name: _why_strange(name, text) for name, text in general.items()}
    strange = {name: why for name, why in reasons.items() if why}

    given = [general.keys() - strange, words.texts, *by_port.values()]
    for name, other in KEEPS_CALLS_FROM.items():
        if any(other in names for names in given):
            strange.pop(name, None)

    # Who labels a container reads the log, too.
    is_ours = bool(by_port or _ASKING & (general.keys() - strange))
    notes: dict[str, Problem] = {}
    for name, why in strange.items():
        text = general.pop(name)
        problem = because("NOT_APPLIED", f"{text.key} of {container} is not applied: {why}")
        notes[text.key] = replace(problem, quiet=not is_ours)
    return notes


def _why_strange(name: str, text: LabelText) -> str:
    """Return what is wrong with a variable that may be another program's; empty if nothing."""
    if not text.is_vague or name not in LABELS or LABELS[name].wrong_costs in ("port", "item"):
        return ""
    try:
        LABELS[name].type.from_label(text.value.strip())
    except Rejected as error:
        return unless_secret(str(error), text.value)
    return ""


def _add_nginx_words(
    words: foreign_words.NginxWords,
    general: dict[str, LabelText],
    by_port: dict[int, dict[str, LabelText]],
) -> None:
    """Add what nginx-proxy's words say, where no label of ours says it."""
    for name, (key, value) in words.texts.items():
        if name in general:
            continue
        texts = by_port.setdefault(words.port, {}) if words.port else general
        texts.setdefault(name, LabelText(key, value))

    if words.port and general.keys() & {"HOSTS", "PATH"}:
        by_port.setdefault(words.port, {})


def _named(given: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield names and values; a name or value of ours without what a writer's file left around it.

    In a list of compose, `- NAME = "x"` gives the name a space, and the value its quotes.
    """
    for key, value in given.items():
        name = key.strip()
        yield (name, _bare(value)) if _is_known(name) else (key, value)


def _bare(value: str) -> str:
    text = value.strip(" \t\r")
    quote = text[:1]
    if quote in ("'", '"') and len(text) > 1 and text.endswith(quote) and text.count(quote) == 2:
        return text[1:-1].strip(" \t\r")
    return text


def _is_known(key: str) -> bool:
    """Whether a name is one that we read, or know not to read."""
    _, name = _split(key)
    is_foreign = foreign_words.not_ours(key, name, is_label=False)
    return key in foreign_words.ALL or name in OURS or bool(is_foreign)


def _split(key: str) -> tuple[int, str]:
    """Return the port, or 0, and the name of a label SERVICE_[<port>_]<name>; no name if none."""
    match = _KEY.fullmatch(key)
    if match is None:
        return 0, ""

    port, name = int(match["port"] or 0), match["name"].upper()
    if port and name.removeprefix(_TCP) in OURS:
        name = name.removeprefix(_TCP)
    return port, name
