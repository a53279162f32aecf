#!/usr/bin/env bash
# `lab.sh up` runs three hosts and three etcd members on this machine; `lab.sh down` removes them.
# `lab.sh chaos` breaks such a fleet on purpose; `lab.sh clean` also removes fleets of killed tests.
. "$(dirname "$0")/lib.sh"

lab() {
    local python=.venv/bin/python
    [ -x "$python" ] || python=python3 # only `up` needs packages
    "$python" -m lab "$@"
}

# prepared COMMAND...: install and build all that a fleet needs, then run the command.
prepared() {
    local had_engine=no status=0
    is_root || die "namespaces and engines require root: sudo make lab"
    need etcd=etcd-server etcdctl=etcd-client haproxy=haproxy ip=iproute2 iptables=iptables \
        curl=curl dockerd=docker.io

    # This machine's own engine is needed only to build the images.
    ! engine_answers || had_engine=yes
    make --no-print-directory images
    "$@" || status=$?
    [ "$had_engine" = yes ] || images/engine.sh down
    return $status
}

case ${1:-} in
    up) prepared lab up ;;
    chaos) prepared .venv/bin/python -m tests.chaos ;;
    down) [ ! -e "$RUN/lab" ] || lab down ;;
    clean) [ -z "$(compgen -G "$RUN/*/wire.net")" ] || lab clean ;;
    *) die "usage: images/lab.sh up|down|chaos|clean" ;;
esac
