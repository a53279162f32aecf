"""Import docker without the modules that it and requests would load in vain.

No other file imports docker or requests.
"""

import os
import sys
import warnings

from catalog.without_modules import as_if_missing, without_modules

# Libraries do without these by themselves, and save what each costs.
_MISSING = (
    # requests guesses the encoding of a text that does not declare one, by tables: 3 MB. Answers
    # of an engine are JSON. requests warns that both are missing.
    "chardet",
    "charset_normalizer",
    "docker.transport.sshconn",  # needs subprocess
    "_hashlib",  # hashlib by OpenSSL; Python has its own: 4 MB with OpenSSL, without ssl
)
# Their functions are called for what nobody does here: 2 MB together.
_UNUSED = (
    "docker.client",  # objects above the API
    "docker.credentials",  # logins at registries, which need subprocess
    "importlib.metadata",  # versions of packages
    "encodings.idna",
    "idna",  # names of hosts beyond ASCII; whoever needs it imports it then
    "tarfile",  # builds of images
    "zipfile",  # bundles of certificates
)
# An engine at a socket needs no TLS: 3 MB. This is what turns it on for docker.
_hosts = (os.environ.get("DOCKER_HOST", ""), *sys.argv)
_has_tls = (
    any("https://" in host for host in _hosts)
    or "DOCKER_TLS_VERIFY" in os.environ
    or "DOCKER_CERT_PATH" in os.environ
)
_missing = _MISSING if _has_tls else (*_MISSING, "ssl")

with as_if_missing(*_missing), without_modules(*_UNUSED), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import http.client  # takes ssl if it is there

    import docker
    import docker.errors
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.types import CancellableStream
    from docker.utils import kwargs_from_env

__all__ = ["DEFAULT_DOCKER_API_VERSION", "CancellableStream", "docker", "http", "kwargs_from_env"]
