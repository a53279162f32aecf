#!/usr/bin/env bash
# Install what `make bench` needs beside the images: programs to call with and to compare with, and
# the Python packages that only it uses, each verified by its hash.
. "$(dirname "$0")/lib.sh"

need etcd=etcd-server etcdctl=etcd-client haproxy=haproxy ip=iproute2 curl=curl \
    nginx=nginx-light wrk=wrk h2load=nghttp2-client

packages() {
    .venv/bin/python -m pip --disable-pip-version-check -q install \
        --require-hashes --only-binary :all: -r bench/requirements.lock
    touch .venv/bin/.bench
}

[ .venv/bin/.bench -nt bench/requirements.lock ] || step "installing Python packages of the bench" packages
