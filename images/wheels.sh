#!/usr/bin/env bash
# `wheels.sh LOCK FOLDER`: fetch the packages of a lock into the folder, for the images' Python and
# this machine's processor. So the image builds need no Python registry. The hash of each file is
# checked here, and again in the build.
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
    # etcd3 is published only as source; the image's build compiles it.
    .venv/bin/python -m pip download --disable-pip-version-check --require-hashes --no-deps --dest "$INTO" \
        --python-version "$PYTHON" --only-binary=:all: --no-binary=etcd3 -r "$LOCK"
    cp "$LOCK" "$STAMP"
}

step "fetching Python packages of $LOCK" fetch
