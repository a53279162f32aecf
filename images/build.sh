#!/usr/bin/env bash
# `build.sh up` builds the images whose sources changed; `build.sh down` removes them.
# A label of each image holds a digest of its sources. So an image that was removed is built again,
# and so is one on another engine.
. "$(dirname "$0")/lib.sh"
BASE=${BASE:-debian:trixie-slim}
PYTHON_SOURCES=(requirements.lock pyproject.toml catalog sidecar register discover ctl templates)
# What the images of the sidecars have beside their own folder.
SHARED=(images/init images/ask images/ready images/explain)

# sources_of IMAGE DIRECTORY: print a digest of all that the image is made of.
sources_of() {
    local extra=() from=
    case $1 in
        docker-stub) extra=(stub) ;;
        tandem-builder) extra=("${PYTHON_SOURCES[@]}") ;;
        docker-* | tandem) from=tandem-builder extra=("${SHARED[@]}") ;;
    esac
    {
        docker image inspect -f '{{.Id}}' "$BASE" $from
        find "$2" .dockerignore "${extra[@]}" -type f \
            ! -path '*/__pycache__/*' ! -path '*/wheels/*' -print0 |
            LC_ALL=C sort -z |
            xargs -0 sha256sum
    } | sha256sum | cut -c1-16
}

build() {
    local image=$1 directory=$2 wanted built id
    wanted=$(sources_of "$image" "$directory")
    built=$(docker image inspect -f '{{index .Config.Labels "tandem.sources"}}' "$image" 2>/dev/null || true)
    [ "$wanted" != "$built" ] || return 0

    id=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null || true)
    case $image in
        docker-stub) images/wheels.sh images/stub/requirements.lock images/stub/wheels ;;
        tandem-builder) images/wheels.sh requirements.lock images/wheels ;;
    esac
    step "building the image $image" \
        docker build ${DOCKER_BUILDKIT:+--force-rm} --build-arg "BASE=$BASE" \
        --label "tandem.sources=$wanted" -t "$image" -f "$directory/Dockerfile" .
    # Remove the earlier image, unless a container still runs it.
    [ -z "$id" ] || docker image rm "$id" >/dev/null 2>&1 || true
}

up() {
    images/base.sh up
    build tandem-etcd images/etcd
    build tandem-whoami images/whoami
    build tandem-builder images/builder
    build docker-register images/register
    build docker-discover images/discover
    build tandem images/ctl
    build docker-stub images/stub
}

down() {
    local image
    for image in docker-stub tandem docker-discover docker-register tandem-builder tandem-whoami tandem-etcd; do
        ! docker image inspect "$image" >/dev/null 2>&1 || docker image rm "$image" >/dev/null
    done
    # Intermediate stages of the builds.
    docker image prune -f --filter label=tandem.stage >/dev/null
    images/base.sh down
}

case ${1:-up} in
    up) up ;;
    down) down ;;
    *) die "usage: images/build.sh up|down" ;;
esac
