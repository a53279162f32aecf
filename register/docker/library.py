"""Import docker without what requests would bring along for nothing. Nothing else of the project imports either."""

import sys
import warnings
from typing import Any

# requests guesses the encoding of a text that does not say its own, by tables of all encodings: 3 MB. An engine's
# answers are JSON. Where none of these is installed requests does without, and warns of it.
_GUESSERS = ("chardet", "charset_normalizer")
_modules: dict[str, Any] = sys.modules
_hidden = [name for name in _GUESSERS if name not in _modules]
_modules.update(dict.fromkeys(_hidden))
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import docker
        import docker.errors
        from docker.types import CancellableStream
        from docker.utils import kwargs_from_env
finally:
    for _name in _hidden:
        del _modules[_name]

__all__ = ["CancellableStream", "docker", "kwargs_from_env"]
