"""docker-register asks an engine over TLS, though it loads no `ssl` for an engine at a socket."""

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.scripted_engine import answers_of, scripted_engine

# All that docker-register imports, in its order; then one question.
PROGRAM = """
import os
import register.__main__
from register.docker.hints import Hints
from register.docker.source import DockerSource

source = DockerSource(os.environ["DOCKER_HOST"], os.environ)
print(len(source.containers(Hints(), everything=False).containers))
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, which also stands for its authority and its client's."""
    return certified(tmp_path_factory.mktemp("certificates"))


def certified(folder: Path) -> Path:
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2")
    names = ("-subj", "/CN=engine", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *names, "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=30,
    )
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


@pytest.fixture
def tls(certificates: Path) -> ssl.SSLContext:
    """What the engine wants: a client that its authority knows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    return context


def ask(docker_host: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # requests prefers a bundle of this machine to the authority that it is told.
    not_ours = ("DOCKER_", "REQUESTS_", "CURL_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean | environment | {"DOCKER_HOST": docker_host},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("verify", ["1", ""], ids=["verified", "not verified"])
def test_an_engine_is_asked_over_tls(certificates: Path, tls: ssl.SSLContext, verify: str) -> None:
    environment = {"DOCKER_TLS_VERIFY": verify, "DOCKER_CERT_PATH": str(certificates)}
    with scripted_engine(answers_of(2), tls) as docker_host:
        asked = ask(docker_host, environment)

    assert asked.stdout == "2\n", asked.stderr


def test_an_engine_of_an_unknown_authority_is_refused(tls: ssl.SSLContext, tmp_path: Path) -> None:
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certified(tmp_path))}

    with scripted_engine(answers_of(2), tls) as docker_host:
        asked = ask(docker_host, environment)

    assert asked.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in asked.stderr.splitlines()[-1]
