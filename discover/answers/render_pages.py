"""What docker-discover answers of haproxy.cfg: as it is now, or would have been at a revision."""

from collections.abc import Callable

from catalog.asking.answer import Answer
from catalog.asking.inbox import Standing
from catalog.asking.rendered import packed, shown
from catalog.asking.responder import Answerer, Found
from catalog.digest import sha256
from catalog.errors import Compacted, Rejected, Unavailable
from discover.answers.journal_pages import number_of
from discover.apply.running import Running

# What is not known of an earlier moment, and is therefore as it is today, or left out.
UNKNOWN = (
    "template, snippets, services file and settings are those of today",
    "which instance had which slot is not known: they are given out anew",
    "what was called though its host's lease had ended, held back or refused by HAProxy is not",
)

PastText = Callable[[int], str]  # raises Rejected, Compacted, Unavailable


def render_answerer(running: Callable[[], Running], past: PastText) -> Answerer:
    """Return what answers questions about haproxy.cfg."""
    return lambda asked: Found(_answer(running(), past, asked))


def _answer(running: Running, past: PastText, asked: Standing) -> Answer:
    told = asked.ask.arguments
    revision, part = number_of(told, "at"), number_of(told, "part")
    if revision:
        try:
            text = past(revision)
        except Compacted:
            return Answer("nothing", f"etcd has forgotten revision {revision}: it was compacted")
        except (Rejected, Unavailable) as error:
            return Answer("failed", str(error))
    elif running.worker is None:
        return Answer("failed", "what HAProxy runs is not known now")
    else:
        text = running.worker.rendered.text

    visible = shown(text, _private(running))
    parts = packed(visible)
    facts = {
        "text": parts[part] if part < len(parts) else "",
        "parts": len(parts),
        "digest": sha256(visible.encode()).hexdigest()[:16],
        "unknown": list(UNKNOWN) if revision else [],
    }
    return Answer(facts=facts)


def _private(running: Running) -> frozenset[str]:
    """Return the lines of the operator's snippets."""
    listeners = running.config.listeners if running.config else ()
    return frozenset(line.strip() for it in listeners for line in it.snippet) - {""}
