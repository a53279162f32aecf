#!/usr/bin/env bash
# Provide the base image of all others: pull it, or without a registry build it from the Debian
# mirror that apt already uses.
. "$(dirname "$0")/lib.sh"
BASE=${BASE:-debian:trixie-slim}
SUITE=trixie
PULL_S=${PULL_S:-60}  # for 30 MB; without a registry the pull mostly fails at once
MADE_HERE="made by tandem"  # the image's comment: `make clean` removes only such an image

pull() { timeout "$PULL_S" docker pull -q "$BASE"; }

# mirror LABEL: print the URL that apt uses for Debian's archive (Debian) or for its security
# archive (Debian-Security).
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v label="$1" '$1 == label && $2 ~ /^https?:/ { print $2; exit }'
}

bootstrap() {
    local archive security
    root=$(mktemp -d "$PWD/$RUN/base.XXXXXX") # not local: the trap needs it
    trap 'rm -rf "$root"' EXIT
    archive=$(mirror Debian)
    security=$(mirror Debian-Security)
    # On Ubuntu apt has no Debian mirror: debootstrap then uses its default.
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" ${archive:+"$archive"}
    if [ -n "$security" ]; then
        echo "deb $security $SUITE-security main" >>"$root/etc/apt/sources.list"
    fi

    slim "$root"
    tar -C "$root" -c . | docker import -m "$MADE_HERE" -c 'CMD ["bash"]' - "$BASE"
}

# Like Debian's own slim images: no manuals, no package lists, no apt caches. And no machine id:
# all hosts would share it.
slim() {
    cat >"$1/etc/dpkg/dpkg.cfg.d/slim" <<-'END'
	path-exclude /usr/share/doc/*
	path-include /usr/share/doc/*/copyright
	path-exclude /usr/share/man/*
	path-exclude /usr/share/info/*
	path-exclude /usr/share/locale/*
	END
    cat >"$1/etc/apt/apt.conf.d/slim" <<-'END'
	DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
	Dir::Cache::pkgcache "";
	Dir::Cache::srcpkgcache "";
	END
    find "$1/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$1"/usr/share/man/* "$1"/usr/share/info/* "$1"/usr/share/locale/* "$1"/var/lib/apt/lists/* \
        "$1"/var/cache/apt/* "$1"/var/log/* "$1/etc/machine-id"
    : >"$1/etc/machine-id"
}

up() {
    docker image inspect "$BASE" >/dev/null 2>&1 && return
    # A failed pull does not stop the script: the image can still be built.
    try_pull() { pull || echo "no registry reachable"; }
    step "pulling $BASE" try_pull
    docker image inspect "$BASE" >/dev/null 2>&1 && return

    is_root || die "cannot pull $BASE, and building it requires root: sudo make images"
    need debootstrap=debootstrap
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || need debian-archive-keyring=debian-archive-keyring
    step "building $BASE from Debian's packages" bootstrap
}

down() {
    if [ "$(docker image inspect -f '{{.Comment}}' "$BASE" 2>/dev/null)" = "$MADE_HERE" ]; then
        docker image rm "$BASE" >/dev/null
    fi
}

case ${1:-up} in
    up) up ;;
    down) down ;;
    *) die "usage: images/base.sh up|down" ;;
esac
