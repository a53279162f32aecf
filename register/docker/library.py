"""Import docker without the modules that requests would load in vain.

No other file imports docker or requests.
"""

import sys
import warnings
from typing import Any

# requests guesses the encoding of a text that does not declare one, with 3 MB of tables. Answers of
# an engine are JSON. Without either module requests works, and warns that it is missing.
_GUESSERS = ("chardet", "charset_normalizer")
_modules: dict[str, Any] = sys.modules
_hidden = [name for name in _GUESSERS if name not in _modules]
_modules.update(dict.fromkeys(_hidden))
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import docker
        import docker.errors
        from docker.constants import DEFAULT_DOCKER_API_VERSION
        from docker.types import CancellableStream
        from docker.utils import kwargs_from_env
finally:
    for _name in _hidden:
        del _modules[_name]

__all__ = ["DEFAULT_DOCKER_API_VERSION", "CancellableStream", "docker", "kwargs_from_env"]
