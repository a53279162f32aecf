#!/usr/bin/env bash
# Make .venv with all packages that run, test and check the project; each is verified by its hash.
. "$(dirname "$0")/lib.sh"
PYTHON=${PYTHON:-python3}

need "$PYTHON=python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$("$PYTHON" --version) is too old; Tandem needs 3.11 or later: make PYTHON=/path/to/python3.11 up"
"$PYTHON" -c 'import ensurepip' 2>/dev/null || need venv=python3-venv

install() {
    [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
    local pip=(.venv/bin/python -m pip --disable-pip-version-check install)
    # etcd3 is published only as source: its build tools are pinned too, and installed first.
    sed -n '/^setuptools==/,/# via/p' requirements-dev.lock >"$RUN/builder.lock"
    "${pip[@]}" --require-hashes -r "$RUN/builder.lock"
    "${pip[@]}" --no-build-isolation --require-hashes -r requirements-dev.lock
    "${pip[@]}" --no-build-isolation --no-deps --editable .
    touch .venv/bin/.installed
}

step "installing Python packages into .venv" install
