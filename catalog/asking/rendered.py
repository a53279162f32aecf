"""A host's haproxy.cfg as an answer carries it: packed, in parts that have room. No I/O."""

import base64
import re
import zlib
from typing import Final

from catalog.asking.fields import printable_all
from catalog.errors import Rejected
from catalog.values.secrets import masked

RENDER: Final = "render"  # the kind of question

PART_MAX = 48 * 1024  # characters of base64 in one answer
TEXT_MAX = 32 * 1024 * 1024  # of what is unpacked: an answer is not trusted
# What people write beside a password, in HAProxy's own words too.
_SECRET = re.compile(r"(?i)\b(password|passwd|secret|token|auth|authorization|api-?key)\b(?=.).*")


def shown(text: str, private: frozenset[str]) -> str:
    """Return a configuration as everybody may read it.

    `private` lines are an operator's own: every host can read an answer, so they are left out, and
    what stands behind a word such as `password`.
    """
    return "".join(f"{_shown(line, private)}\n" for line in text.splitlines())


def _shown(line: str, private: frozenset[str]) -> str:
    if line.strip() in private:
        return f"{line[: len(line) - len(line.lstrip())]}# a line of a snippet, not shown"
    if line.lstrip().startswith("#"):
        return masked(line)
    return _SECRET.sub(r"\1 …", masked(line))


def packed(text: str) -> list[str]:
    """Return a text in parts."""
    whole = base64.b64encode(zlib.compress(text.encode(), 6)).decode()
    return [whole[at : at + PART_MAX] for at in range(0, len(whole), PART_MAX)]


def unpacked(parts: list[str]) -> str:
    """Return the text that these are all parts of, as a terminal may have it. Raises Rejected."""
    try:
        content = base64.b64decode("".join(parts), validate=True)
        unzip = zlib.decompressobj()
        text = unzip.decompress(content, TEXT_MAX)
        if not unzip.eof:
            raise Rejected(f"it is cut off, or longer than {TEXT_MAX} bytes")
        lines = text.decode().expandtabs(4).split("\n")
        return "\n".join(printable_all(lines))
    except (ValueError, zlib.error) as error:
        raise Rejected(f"it cannot be unpacked: {error}") from error
