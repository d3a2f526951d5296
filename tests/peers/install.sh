#!/bin/sh
# Installs the programs that the peer tests use, on Debian and Ubuntu; does nothing where all of them are there.
set -eu

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
need strace strace
need default-jre-headless java
[ -e /usr/share/java/pixelmed.jar ] || missing="$missing libpixelmed-java"
[ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] || need postgresql initdb

if [ -z "$missing" ]; then
    echo "peer programs: all found"
    exit 0
fi

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
