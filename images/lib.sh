# shellcheck shell=bash
# Shared by the other scripts: each step prints one line, its output goes to .run/, and a failure
# gives its reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
RUN=.run
mkdir -p "$RUN"
export DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"
# The classic builder is enough; a client without buildx has to be asked for it.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0

say() { printf '%s\n' "$*"; }
die() { printf 'tandem: %s\n' "$*" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }
has() { command -v "$1" >/dev/null 2>&1; }
engine_answers() { timeout 10 docker version >/dev/null 2>&1; }

# step WHAT COMMAND...: run it quietly and print how long it took; if it fails, show the end of its
# output and stop.
step() {
    local what=$1 log status=0 began=$SECONDS
    shift
    log=$RUN/$(printf %s "$what" | tr -cs 'A-Za-z0-9\n' - | cut -c1-60).log
    printf '  %-52s' "$what"

    # Not `if "$@"`: that would disable -e inside functions.
    set +e
    (set -e; "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e

    if [ "$status" != 0 ]; then
        printf ' failed\n'
        tail -n 40 "$log" >&2
        die "$what: failed with status $status; its full output is in $log"
    fi
    printf ' %4s s\n' "$((SECONDS - began))"
}

# need COMMAND=PACKAGE...: install the packages whose command is missing.
need() {
    local pair missing=()
    for pair in "$@"; do
        has "${pair%%=*}" || missing+=("${pair#*=}")
    done
    [ "${#missing[@]}" = 0 ] && return

    has apt-get || die "please install the equivalents of these Debian packages: ${missing[*]}"
    is_root || die "programs are missing; install them with: sudo apt-get install ${missing[*]}"
    [ -n "$(find "$RUN/lists.read" -mmin -60 2>/dev/null)" ] ||
        step "reading the package lists" apt-get update
    touch "$RUN/lists.read"
    step "installing ${missing[*]}" install_stopped "${missing[@]}"
}

# Install packages without starting their services. With a service manager, etcd, haproxy, nginx and
# the databases would start at once, and etcd would take our port.
install_stopped() {
    local policy=/usr/sbin/policy-rc.d service
    # From Debian 13 on, the engine's package comes without the docker command.
    if [[ " $* " == *" docker.io "* ]] && apt-cache show docker-cli >/dev/null 2>&1; then
        set -- "$@" docker-cli
    fi

    local wanted=(apt-get install -y --no-install-recommends "$@")
    if [ ! -d /run/systemd/system ] || [ -e "$policy" ] || [[ " $* " == *" docker.io "* ]]; then
        "${wanted[@]}"
    else
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        "${wanted[@]}"
        rm -f "$policy"
    fi

    [ -d /run/systemd/system ] || return 0
    for service in etcd haproxy nginx redis-server postgresql prometheus; do
        [[ " $* " != *" $service"* ]] || systemctl disable --now "$service" || true
    done
}
