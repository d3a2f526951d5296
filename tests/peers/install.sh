#!/bin/sh
# Installs the programs that the peer tests use, on Debian and Ubuntu; does nothing where all of them are there.
set -eu
cd "$(dirname "$0")/../.."

missing=""

# need PACKAGE COMMAND: the package is wanted unless the command is found
need() {
    PATH="$SYSTEM_PATH" command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

# the virtual environment holds scripts of pynetdicom under the names of DCMTK's tools: they do not count
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

need dcmtk storescu
need dicom3tools dciodvfy
need orthanc Orthanc
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing="$missing orthanc-dicomweb"
need chromium chromium
need nodejs node
need npm npm
need openssl openssl
fc-list 2>/dev/null | grep -q "Noto Sans CJK" || missing="$missing fonts-noto-cjk fontconfig"
need strace strace
need default-jre-headless java
[ -e /usr/share/java/pixelmed.jar ] || missing="$missing libpixelmed-java"
[ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] || need postgresql initdb

install_programs() {
    if [ "$(id -u)" -eq 0 ]; then as_root=""; else as_root="sudo"; fi
    export DEBIAN_FRONTEND=noninteractive

    # installing must not start servers of its own on the well-known ports
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
        trap '$as_root rm -f "$policy"' EXIT
    fi

    echo "peer programs: installing$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of package names, split on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

# The viewer and its driver: npm's archives, whose digests stand in the repository; they hold all that they need, so
# nothing that they depend on is installed.
install_viewer() {
    work=$(mktemp -d)
    while read -r name version digest; do
        case "$name" in "" | "#"*) continue ;; esac
        echo "viewer: fetching $name $version"
        archive="$work/$(cd "$work" && npm pack --silent "$name@$version" 2>/dev/null)"
        found="sha512-$(openssl dgst -sha512 -binary "$archive" | openssl base64 -A)"
        [ "$found" = "$digest" ] || { echo "viewer: $name $version is not what was locked: $found" >&2; exit 1; }
        mkdir -p "$work/${name##*/}"
        tar -xzf "$archive" -C "$work/${name##*/}" --strip-components 1
    done <"$LOCK"
    rm -rf .viewer && mkdir .viewer
    mv "$work/app/dist" .viewer/ohif
    mv "$work/playwright-core" .viewer/playwright-core
    cp "$LOCK" .viewer/packages.lock
    rm -rf "$work"
}

LOCK=tests/peers/viewer/packages.lock
if [ -z "$missing" ]; then echo "peer programs: all found"; else install_programs; fi
if cmp -s "$LOCK" .viewer/packages.lock; then echo "viewer: found"; else install_viewer; fi
