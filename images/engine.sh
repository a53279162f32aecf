#!/usr/bin/env bash
# `engine.sh up` installs and starts a Docker engine if none answers; `engine.sh down` stops it if
# this checkout started it.
. "$(dirname "$0")/lib.sh"
PID_FILE=$RUN/dockerd.pid
START_S=60  # an engine with many old containers starts slowly

ours() { [ -s "$PID_FILE" ] && [ "$(cat "/proc/$(cat "$PID_FILE")/comm" 2>/dev/null)" = dockerd ]; }

up() {
    need docker=docker.io
    engine_answers && return

    [ -z "${DOCKER_HOST:-}" ] || die "no engine answers at DOCKER_HOST=$DOCKER_HOST"
    if ! is_root; then
        ! has systemctl ||
            die "no engine answers; try: sudo systemctl start docker && sudo usermod -aG docker $(id -un)"
        die "no engine answers, and starting one requires root: sudo make up"
    fi
    need dockerd=docker.io iptables=iptables
    step "starting the Docker engine" start
}

start() {
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    elif ! ours; then
        setsid nohup dockerd >"$RUN/dockerd.log" 2>&1 </dev/null &
        echo $! >"$PID_FILE"
        touch "$RUN/engine.used" # `make clean` starts the engine again to remove the images
    fi

    local deadline=$((SECONDS + START_S))
    until engine_answers; do
        if [ "$SECONDS" -ge "$deadline" ] || { [ -e "$PID_FILE" ] && ! ours; }; then
            tail -n 20 "$RUN/dockerd.log" 2>/dev/null
            return 1
        fi
        sleep 0.3
    done
}

down() {
    ours || { rm -f "$PID_FILE"; return 0; }
    step "stopping the Docker engine" stop
}

stop() {
    local pid
    pid=$(cat "$PID_FILE")
    kill "$pid"
    timeout 30 tail --pid="$pid" -f /dev/null || kill -9 "$pid"
    rm -f "$PID_FILE"
}

case ${1:-} in
    up) up ;;
    down) down ;;
    *) die "usage: images/engine.sh up|down" ;;
esac
