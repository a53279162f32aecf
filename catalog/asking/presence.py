"""That a host has a docker-discover, as it stands under hosts/<host>/proxy. No I/O."""

from dataclasses import dataclass

from catalog.asking.fields import bytes_of, document_of, text_in, texts_in


@dataclass(frozen=True, slots=True)
class Presence:
    """What others have to know of a docker-discover; little of it changes in its life."""

    version: str = ""  # of Tandem
    haproxy: str = ""  # the version
    zone: str = ""
    listens: tuple[str, ...] = ()  # addresses of service ports
    door: str = ""  # where all http services are by host name
    metrics: str = ""  # where METRICS answers
    not_ready: str = ""  # why, or empty
    kinds: tuple[str, ...] = ()  # of questions that it answers


def encode(presence: Presence) -> bytes:
    """Return the canonical JSON: the same presence gives the same bytes."""
    return bytes_of(
        {
            "version": presence.version,
            "haproxy": presence.haproxy,
            "zone": presence.zone,
            "listens": list(presence.listens),
            "door": presence.door,
            "metrics": presence.metrics,
            "not_ready": presence.not_ready,
            "kinds": list(presence.kinds),
        }
    )


def decode(value: bytes) -> Presence:
    """Return the presence in a value, ignoring unknown fields. Raises Rejected."""
    document = document_of(value, "presence")
    return Presence(
        version=text_in(document, "version"),
        haproxy=text_in(document, "haproxy"),
        zone=text_in(document, "zone"),
        listens=texts_in(document, "listens"),
        door=text_in(document, "door"),
        metrics=text_in(document, "metrics"),
        not_ready=text_in(document, "not_ready"),
        kinds=texts_in(document, "kinds"),
    )
