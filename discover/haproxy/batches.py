"""Put many commands for a worker on as few lines as HAProxy takes. No I/O."""

from collections.abc import Iterable, Iterator

LINE_BYTES_MAX = 8000  # half of tune.bufsize: 2.6 drops a longer line without a word
CURRENT_WORKER = "@1 "


def batches(commands: Iterable[str], worker: str = CURRENT_WORKER) -> Iterator[str]:
    """Yield the lines to send to the master, each with as many commands for a worker as fit."""
    line = ""

    for command in commands:
        addressed = worker + command
        if line and len(line) + len(addressed) + 1 > LINE_BYTES_MAX:
            yield line
            line = ""
        line = f"{line};{addressed}" if line else addressed

    if line:
        yield line
