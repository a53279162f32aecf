#!/usr/bin/env bash
# Run all tests: install missing packages, start an engine, build the images, run pytest. At the end
# stop the engine if tests started it. Killing this script kills pytest; the next run removes what
# is left (tests/parts/leftovers.py).
. "$(dirname "$0")/lib.sh"

# This file marks an engine that tests started. It outlives a run that is killed, so that the next
# one stops that engine.
STARTED=$RUN/engine-of-tests
engine_answers || touch "$STARTED"
cleanup() {
    [ -e "$STARTED" ] || return 0
    rm -f "$STARTED"
    # `make up` may have come to use it meanwhile.
    [ -n "$(docker ps -q 2>/dev/null)" ] || images/engine.sh down
}
trap cleanup EXIT

need etcd=etcd-server etcdctl=etcd-client haproxy=haproxy ip=iproute2 iptables=iptables \
    openssl=openssl curl=curl ps=procps faketime=faketime \
    podman=podman catatonit=catatonit redis-server=redis-server redis-cli=redis-tools pg_ctlcluster=postgresql \
    zsh=zsh fish=fish promtool=prometheus
make --no-print-directory images

# Two at a time: tests wait more than they compute. Those that share the engine, or the fleet, run
# one after the other (tests/conftest.py).
setpriv --pdeathsig KILL .venv/bin/pytest -n 2 --durations=10 "$@"
