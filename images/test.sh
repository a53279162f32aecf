#!/usr/bin/env bash
# Run all tests: install missing packages, start an engine, build the images, run pytest. At the end
# stop the engine if it was started here.
. "$(dirname "$0")/lib.sh"

had_engine=no
! engine_answers || had_engine=yes
cleanup() { [ "$had_engine" = yes ] || images/engine.sh down; }
trap cleanup EXIT

need etcd=etcd-server etcdctl=etcd-client haproxy=haproxy ip=iproute2 iptables=iptables \
    openssl=openssl curl=curl ps=procps faketime=faketime \
    redis-server=redis-server redis-cli=redis-tools pg_ctlcluster=postgresql
make --no-print-directory images

# Two at a time: tests wait more than they compute. Those that share the engine, or the fleet, run
# one after the other (tests/conftest.py).
.venv/bin/pytest -n 2 "$@"
