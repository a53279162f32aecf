"""HAProxy's ring of calls, as lines that come while somebody reads. Nothing is read otherwise.

The worker is asked itself: a master ends an answer that waits for more.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

from catalog.errors import Unavailable

# Management manual, section 9.3 "show events": wait for what comes ...
FROM_THE_OLDEST = b"show events calls -w\n"
# ... from now on.
FROM_NOW = b"show events calls -w -n\n"
TICK_S = 0.25
CHUNK_BYTES = 65536


def lines_of(admin: Path, *, from_now: bool = True) -> Iterator[bytes]:
    """Yield lines as they come, and an empty one whenever none came for a moment.

    Ends when HAProxy ends it, as it does with who hears nothing for ten seconds. Raises
    Unavailable.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ring:
            ring.settimeout(TICK_S)
            ring.connect(str(admin))
            ring.sendall(FROM_NOW if from_now else FROM_THE_OLDEST)
            yield from _lines(ring)
    except OSError as error:
        raise Unavailable(f"HAProxy does not answer at {admin}: {error}") from error


def _lines(ring: socket.socket) -> Iterator[bytes]:
    rest = b""
    while True:
        try:
            chunk = ring.recv(CHUNK_BYTES)
        except TimeoutError:
            yield b""
            continue
        if not chunk:
            return

        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
