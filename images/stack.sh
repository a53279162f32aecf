#!/usr/bin/env bash
# `stack.sh up` starts compose.yaml and calls the demo service until both of its containers have
# answered; `stack.sh down` removes the containers, network and volumes.
. "$(dirname "$0")/lib.sh"
PROJECT=tandem
SERVICE=http://localhost:8088/
READY_S=60
# address:port=program of all that the stack listens on
LISTENS="127.0.0.1:2379=etcd 127.0.0.1:8088=whoami 127.0.0.1:1936=statistics
    127.0.0.1:9301=docker-register 127.0.0.1:9302=docker-discover"

compose() {
    if docker compose version >/dev/null 2>&1; then
        docker compose -p "$PROJECT" -f compose.yaml "$@"
    else
        docker-compose -p "$PROJECT" -f compose.yaml "$@"
    fi
}

runs() { [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$PROJECT")" ]; }

need_compose() {
    local package=docker-compose
    docker compose version >/dev/null 2>&1 && return
    # Ubuntu packages today's Compose as docker-compose-v2, beside the old docker-compose.
    ! apt-cache show docker-compose-v2 >/dev/null 2>&1 || package=docker-compose-v2
    need "docker-compose=$package"
}

ports_are_free() {
    local pair address
    for pair in $LISTENS; do
        address=${pair%%=*}
        if (exec 3<>"/dev/tcp/${address%:*}/${address##*:}") 2>/dev/null; then
            die "$address, which ${pair#*=} needs, is in use; find the program with: ss -ltnp 'sport = :${address##*:}'"
        fi
    done
}

# wait_for SERVICE URL: return when the URL answers with 200; print why if it does not.
wait_for() {
    local deadline=$((SECONDS + READY_S))
    until curl -fsS -m 3 -o /dev/null "$2" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            curl -sS -m 3 "$2" || true
            compose logs --no-color --tail=15 "$1"
            return 1
        fi
        sleep 0.2
    done
}

# Call the service until two containers have answered, and print each reply once.
replies() {
    local deadline=$((SECONDS + READY_S)) seen=() reply
    while [ "${#seen[@]}" -lt 2 ]; do
        reply=$(curl -fsS -m 3 "$SERVICE" 2>&1) || reply=
        if [[ $reply == "whoami "* ]] && [[ " ${seen[*]} " != *" ${reply// /_} "* ]]; then
            seen+=("${reply// /_}")
            say "$reply"
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            compose logs --no-color --tail=15 register discover
            say "fewer than two whoami containers answered; docker-discover reports:"
            compose logs --no-color discover | grep -o 'whoami has no listener.*' | tail -1
            return 1
        fi
        [ "${#seen[@]}" -ge 2 ] || sleep 0.1
    done
}

up() {
    need curl=curl
    need_compose
    runs || ports_are_free
    step "starting etcd, the pair and two containers" compose up -d --remove-orphans
    step "waiting for docker-register" wait_for register http://127.0.0.1:9301/readyz
    step "waiting for docker-discover" wait_for discover http://127.0.0.1:9302/readyz
    step "calling $SERVICE until both have answered" replies
    cat <<END

Two containers of the service "whoami" (service, container, generation):
$(sed 's/^/  /' "$RUN"/calling-*.log)

Try next:
  curl localhost:8088                                      either one answers
  docker stop tandem-whoami-1                              only the other one answers
  docker run -d -P --name tandem-whoami-3 -e SERVICE_NAME=whoami -e SERVICE_PORT=8088 tandem-whoami
                                                           a third one answers
  docker exec tandem-discover tandem ls                    services and who serves them, problems first
  docker exec tandem-discover tandem explain whoami        why it is called, or why not
  docker exec tandem-etcd etcdctl get --prefix /services/  what is published
  http://127.0.0.1:1936/                                   HAProxy's stats page
  make down                                                remove everything
END
}

down() {
    engine_answers || return 0
    docker rm -f -v tandem-whoami-3 >/dev/null 2>&1 || true # `up` suggests to run it

    local filter="label=com.docker.compose.project=$PROJECT" containers volumes
    containers=$(docker ps -aq --filter "$filter")
    volumes=$(docker volume ls -q --filter "$filter")
    if [ -n "$containers$volumes" ]; then
        need_compose
        step "removing etcd, the pair and its containers" compose down -v --remove-orphans
    fi
}

case ${1:-} in
    up) up ;;
    down) down ;;
    *) die "usage: images/stack.sh up|down" ;;
esac
