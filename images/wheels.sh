#!/usr/bin/env bash
# `wheels.sh LOCK FOLDER`: fetch what the lock names into the folder, for the images' Python and this machine's processor:
# the image builds themselves need no Python registry, and each file is checked against its hash here and there.
. "$(dirname "$0")/lib.sh"
PYTHON=3.13  # trixie's
LOCK=$1 INTO=$2
STAMP=$INTO/.lock

if cmp -s "$LOCK" "$STAMP"; then
    exit
fi

fetch() {
    rm -rf "$INTO"
    mkdir -p "$INTO"
    # etcd3 comes as source only; it is built inside the image.
    .venv/bin/python -m pip download --disable-pip-version-check --require-hashes --no-deps --dest "$INTO" \
        --python-version "$PYTHON" --only-binary=:all: --no-binary=etcd3 -r "$LOCK"
    cp "$LOCK" "$STAMP"
}

step "fetching Python packages of $LOCK" fetch
