#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# hugepages take | give: adds HUGEPAGES_MB of 2 MiB pages to the kernel's pool, or takes away what was added.
# Memory is least in pieces right after boot; the service itself asks only when it starts.
set -eu
state=${RUNTIME_DIRECTORY:-/run/joyride-hugepages}/added
knob=/proc/sys/vm/nr_hugepages

case ${1:-} in
take)
    wanted=$((${HUGEPAGES_MB:-0} / 2))
    [ "$wanted" -gt 0 ] && [ ! -e "$state" ] || exit 0
    read -r before <"$knob"
    echo $((before + wanted)) >"$knob"
    read -r after <"$knob"
    echo $((after - before)) >"$state"
    if [ $((after - before)) -lt "$wanted" ]; then
        echo "only $(((after - before) * 2)) of $((wanted * 2)) MB were to be had as huge pages" >&2
    fi
    ;;
give)
    [ -e "$state" ] || exit 0
    read -r added <"$state"
    read -r now <"$knob"
    left=$((now - added))
    [ "$left" -ge 0 ] || left=0
    echo "$left" >"$knob"
    rm -f "$state"
    ;;
*)
    echo "usage: hugepages take | give" >&2
    exit 2
    ;;
esac
