#!/usr/bin/env bash
# Three hosts and three etcd members on this machine: `lab.sh up`, `lab.sh down`; `lab.sh chaos` breaks such a fleet on
# purpose; `lab.sh clean` also removes what killed tests left of theirs.
. "$(dirname "$0")/lib.sh"

lab() {
    local python=.venv/bin/python
    [ -x "$python" ] || python=python3 # only up needs more than Python itself
    "$python" -m lab "$@"
}

# Run a command that makes a fleet, with all that it needs.
with_ground() {
    local had_engine=no status=0
    is_root || die "namespaces and engines take root: sudo make lab"
    need etcd=etcd-server etcdctl=etcd-client haproxy=haproxy ip=iproute2 iptables=iptables curl=curl dockerd=docker.io
    # This machine's own engine is only needed for its images.
    ! engine_answers || had_engine=yes
    make --no-print-directory images
    "$@" || status=$?
    [ "$had_engine" = yes ] || images/engine.sh down
    return $status
}

case ${1:-} in
    up) with_ground lab up ;;
    chaos) with_ground .venv/bin/python -m tests.chaos ;;
    down) [ ! -e "$RUN/lab" ] || lab down ;;
    clean) [ -z "$(compgen -G "$RUN/*/wire.net")" ] || lab clean ;;
    *) die "usage: images/lab.sh up|down|chaos|clean" ;;
esac
