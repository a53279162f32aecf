"""In a container of the pair: the flags about etcd that its sidecar was started with."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from ctl.settings import OPTIONS

ARGUMENTS = Path("/run/tandem/arguments")  # written by images/init
BYTES_MAX = 1 << 20


def with_flags(environ: Mapping[str, str], arguments: Path = ARGUMENTS) -> Mapping[str, str]:
    """Return the variables, and those flags as variables: they beat them in the sidecar, too."""
    try:
        with arguments.open() as file:
            words = shlex.split(file.read(BYTES_MAX))
    except (OSError, ValueError):
        return environ

    told = {}
    for option in OPTIONS:
        for at, word in enumerate(words):
            flag, equals, value = word.partition("=")
            if flag == option.flag:
                told[option.name] = value if equals else "".join(words[at + 1 : at + 2])
    return {**environ, **told}
