"""What the sidecars never use, they do not load: each of these takes memory for nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

IN_BOTH = (
    "asyncio",
    "chardet",
    "charset_normalizer",
    "decimal",
    "difflib",
    "fractions",
    "google.protobuf.internal.python_message",
    "grpc.aio",
    "html",
    "importlib.metadata",
    "multiprocessing",
    "pickle",
    "ssl",
    "tarfile",
    "unittest",
    "xml",
    "wsgiref",
    "yaml",
    "zipfile",
    "_hashlib",
    "_ssl",
)
UNUSED = {
    "register": (
        *IN_BOTH,
        "docker.client",
        "docker.credentials",
        "docker.models",
        "docker.transport.sshconn",
        "idna",
        "subprocess",
    ),
    "discover": (*IN_BOTH, "docker", "gzip", "mimetypes", "requests", "urllib.request", "urllib3"),
}
PROGRAM = """
import json, sys
before = set(sys.modules)
__import__(sys.argv[1] + ".__main__")
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded(package: str, **environment: str) -> set[str]:
    """Return what the entry point of a sidecar imports."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, package],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=_without_docker(os.environ) | environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(json.loads(done.stdout))


def _without_docker(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("DOCKER_")}


@pytest.mark.parametrize("package", UNUSED)
def test_what_is_not_used_is_not_loaded(package: str) -> None:
    assert loaded(package) & set(UNUSED[package]) == set()


@pytest.mark.parametrize(
    "environment",
    [
        {"DOCKER_TLS_VERIFY": "1"},
        {"DOCKER_CERT_PATH": "/certs"},
        {"DOCKER_HOST": "https://192.0.2.1:2376"},
    ],
    ids=str,
)
def test_tls_to_the_engine_is_there_where_it_is_wanted(environment: dict[str, str]) -> None:
    assert "ssl" in loaded("register", **environment)
