#!/usr/bin/env bash
# Have the image that all others start from: pulled where a registry is in reach, else built from the Debian mirror
# that apt already uses.
. "$(dirname "$0")/lib.sh"
BASE=${BASE:-debian:trixie-slim}
SUITE=trixie
PULL_S=${PULL_S:-60}  # the image has 30 MB; without a registry the refusal mostly comes at once
MADE_HERE="made by tandem"  # in the image's comment, so that `make clean` knows it

pull() { timeout "$PULL_S" docker pull -q "$BASE"; }

# mirror LABEL: where apt has Debian's archive (Debian) or its security archive (Debian-Security) from.
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v label="$1" '$1 == label && $2 ~ /^https?:/ { print $2; exit }'
}

bootstrap() {
    local archive security
    root=$(mktemp -d "$PWD/$RUN/base.XXXXXX") # not local: the trap needs it
    trap 'rm -rf "$root"' EXIT
    archive=$(mirror Debian) security=$(mirror Debian-Security)
    # Without a mirror of Debian's (on Ubuntu) debootstrap uses its own.
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" ${archive:+"$archive"}
    if [ -n "$security" ]; then
        echo "deb $security $SUITE-security main" >>"$root/etc/apt/sources.list"
    fi
    slim "$root"
    tar -C "$root" -c . | docker import -m "$MADE_HERE" -c 'CMD ["bash"]' - "$BASE"
}

# As Debian's own slim images: no manuals, no package lists, no caches of apt. And no machine id, or all hosts would
# share it.
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
    # A failed pull is no failure yet.
    try_pull() { pull || echo "no registry in reach"; }
    step "pulling $BASE" try_pull
    docker image inspect "$BASE" >/dev/null 2>&1 && return
    is_root || die "$BASE cannot be pulled, and building it takes root: sudo make images"
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
