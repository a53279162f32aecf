"""One step on the way of the data, and where on the way each code stands. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ctl.view.remedies import remedy
from ctl.view.waiting import said_at

Mark = Literal["✓", "✗", "–"]
# The way: from the container to the check that HAProxy makes.
Stage = Literal[
    "container", "asks", "name", "port", "address", "ready", "key", "lease", "revision",
    "listener", "server",
]  # fmt: skip
STAGES: tuple[Stage, ...] = get_args(Stage)
WORDS: Mapping[Stage, str] = {
    "container": "container",
    "asks": "asks for a service",
    "name": "name",
    "port": "port",
    "address": "address",
    "ready": "ready",
    "key": "key in etcd",
    "listener": "listener",
    "server": "server, check",
}
# Codes of what is published all the same.
NOTES = (
    "NOT_APPLIED", "AMBIGUOUS_LABEL", "PARTLY_APPLIED", "LOOKS_SECRET", "NOT_READ",
    "PORT_NOT_ASKED", "ODD_FIELD",
)  # fmt: skip
# Codes that only say how one instance of several is treated, or that are meant so.
CALM = (
    "OVERRIDE_UNUSED",
    "NOT_INTERCEPTED",
    "MODE_DIFFERS",
    "NO_EFFECT",
    "PORT_YIELDED",
    "HOSTS_NEED_HTTP",
    "NOT_CHOSEN",
)
# Where data with this code stops. A code that docker-discover says too may stop it twice.
_CODES: Mapping[Stage, tuple[str, ...]] = {
    "container": ("NOT_RUNNING", "START_FAILED", "UNREADABLE", "ODD_FIELD"),
    "asks": ("IGNORED", "ONE_OFF", "NOT_LABELLED", "POD_INFRA"),
    "name": (
        "BAD_NAME", "AMBIGUOUS_PORT", "NOT_CHOSEN", "BAD_LABEL", "NOT_APPLIED", "AMBIGUOUS_LABEL",
        "PARTLY_APPLIED", "LOOKS_SECRET", "NOT_READ",
    ),
    "port": (
        "NO_PUBLISHED_PORT", "NO_HOST_PORT", "UDP_PORT", "SCTP_PORT", "HOST_PORT_UNKNOWN",
        "IN_RANGE", "POD_PORT", "PORT_NOT_ASKED",
    ),
    "address": ("LOOPBACK_ONLY", "BRIDGE_ONLY", "WRONG_FAMILY", "NO_NETWORK", "ADDRESS_TAKEN"),
    "ready": ("STARTING", "NOT_LISTENING", "CRASH_LOOP", "HOST_DRAINED"),
    "key": (
        "BAD_OVERRIDE", "OVERRIDE_UNUSED", "BAD_RECORD", "OUTSIDE_REFUSED", "ADDRESS_REUSED",
        "OWN_ADDRESS", "NAME_TAKEN",
    ),
    "listener": (
        "NO_SERVICE_PORT", "PORT_CLAIMED", "PORT_RESERVED", "PORT_IN_USE", "NOT_HELD",
        "PORT_YIELDED", "HOST_CLAIMED", "HOSTS_NEED_HTTP", "MODE_DIFFERS", "NO_EFFECT", "NO_DOOR",
        "NOT_INTERCEPTED", "TEMPLATE_REFUSED", "CONFIGURATION_REFUSED", "QUARANTINED",
    ),
}  # fmt: skip
STAGE_OF: Mapping[str, Stage] = {code: stage for stage, it in _CODES.items() for code in it}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ✓ the data came through, ✗ it did not, – it says nothing of that."""

    mark: Mark
    host: str
    text: str
    code: str = ""
    help: str = ""
    stage: Stage = "container"

    @property
    def page(self) -> str:
        """Where the documentation has its code."""
        return f"docs/reasons.md#{self.code}" if self.code else ""


def refusal(host: str, refused: Mapping[str, Any], **words: str) -> Step:
    """Return the step that a refusal is; `words` fill in what helps."""
    code = str(refused.get("code", ""))
    is_note = code in NOTES or code in CALM
    return Step(
        "–" if is_note else "✗",
        host,
        said_at(refused),
        code,
        remedy(code, host=host, **words),
        STAGE_OF.get(code, "listener"),
    )


def not_reached(host: str, steps: Iterable[Step]) -> Step | None:
    """Return the step that names what is behind the last refusal; None if there is nothing."""
    stopped = [step.stage for step in steps if step.mark == "✗"]
    if not stopped:
        return None
    behind = STAGES[max(map(STAGES.index, stopped)) + 1 :]
    return Step("–", host, f"not reached: {named(behind)}", stage=behind[0]) if behind else None


def named(stages: Sequence[Stage]) -> str:
    """Return stages for people."""
    return ", ".join(WORDS[stage] for stage in stages if stage in WORDS)
