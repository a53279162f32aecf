#!/usr/bin/env bash
# All tests: install what is missing, have an engine and the images, run pytest; stop the engine only if started here.
. "$(dirname "$0")/lib.sh"

had_engine=no
! engine_answers || had_engine=yes
cleanup() { [ "$had_engine" = yes ] || images/engine.sh down; }
trap cleanup EXIT

need etcd=etcd-server etcdctl=etcd-client haproxy=haproxy ip=iproute2 iptables=iptables openssl=openssl curl=curl ps=procps faketime=faketime \
    redis-server=redis-server redis-cli=redis-tools pg_ctlcluster=postgresql
make --no-print-directory images
# They wait more than they compute. What shares the engine, or the fleet, stays together (tests/conftest.py).
.venv/bin/pytest -n 2 "$@"
