#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# system-libc check | on | off | status: puts Joyride's libc in the place of the system's, or the system's own back.
#
# The files are copied beside their targets, tried, and renamed over in one go: at every moment there is a working libc, a running
# program keeps the one it has, and when anything fails the old one stays. What belongs to the distribution is kept in
# /opt/stock/lib, where dpkg's diversions (made by the package) put later updates too.
set -eu
ours=/opt/joyride
stock=/opt/stock/lib
here=$(dirname "$0")
libc=libc.so.6
ldso=ld-linux-x86-64.so.2
for dir in /lib/x86_64-linux-gnu /lib64; do
    if [ -e "$dir/$libc" ]; then system=$dir && break; fi
done

die() {
    echo "joyride-libc-system: $*" >&2
    exit 1
}

# The glibc release in a libc.so.6.
release() {
    sed -n 's/.*GNU C Library .* release version \([0-9.]*[0-9]\)\.$/\1/p' "$1" 2>/dev/null | head -n 1
}

# Is this file one of ours? Only Joyride's libc has the client's name of the control socket in it.
is_ours() {
    grep -q -a -F /run/joyride/netsvc.sock "$1"
}

check() {
    [ "$(uname -m)" = x86_64 ] || die "this is for x86_64, not $(uname -m): nothing was changed"
    [ -n "${system:-}" ] || die "no $libc in /lib/x86_64-linux-gnu or /lib64: nothing was changed"
    [ -e "$system/$ldso" ] || die "no $ldso in $system: nothing was changed"
    [ -e "$ours/$libc" ] && [ -e "$ours/ld.so" ] || die "no libc in $ours: install joyride-libc. Nothing was changed"
    theirs=$stock/$libc
    [ -e "$theirs" ] || theirs=$system/$libc
    [ "$(release "$ours/$libc")" = "$(release "$theirs")" ] ||
        die "joyride-libc is glibc $(release "$ours/$libc"), this system's is $(release "$theirs"): nothing was changed." \
            "Install the joyride-libc made for this release."
    "$ours/ld.so" /bin/true || die "$ours/ld.so does not run programs here: nothing was changed"
}

# put SOURCE-LIBC SOURCE-LDSO TARGET-DIR
put() {
    trap 'rm -f "$3/.$libc.joyride" "$3/.$ldso.joyride"' EXIT
    cp -p "$1" "$3/.$libc.joyride"
    cp -p "$2" "$3/.$ldso.joyride"
    chmod 755 "$3/.$libc.joyride" "$3/.$ldso.joyride"
    cmp -s "$1" "$3/.$libc.joyride" && cmp -s "$2" "$3/.$ldso.joyride" || die "the copies in $3 differ from their originals"
    sync "$3/.$libc.joyride" "$3/.$ldso.joyride" 2>/dev/null || :
    "$3/.$ldso.joyride" --library-path "$(dirname "$1")" /bin/true || die "the copied loader does not run programs"
    "$here/rename-all" "$3/.$libc.joyride" "$3/$libc" "$3/.$ldso.joyride" "$3/$ldso"
    trap - EXIT
}

case ${1:-} in
check) check ;;
on)
    check
    mkdir -p "$stock"
    if ! is_ours "$system/$libc"; then
        for f in $libc $ldso; do
            cp -p "$system/$f" "$stock/$f.new"
            mv -f "$stock/$f.new" "$stock/$f"
        done
    fi
    [ -e "$stock/$libc" ] && [ -e "$stock/$ldso" ] || die "the stock libc is not in $stock: nothing was changed"
    put "$ours/$libc" "$ours/ld.so" "$system"
    ;;
off)
    [ -n "${system:-}" ] || die "no $libc found"
    # Not ours any more, but an update came to $stock after that: it is the system's.
    if is_ours "$system/$libc" || { [ -e "$stock/$libc" ] && ! cmp -s "$stock/$libc" "$system/$libc"; }; then
        [ -e "$stock/$libc" ] && [ -e "$stock/$ldso" ] || die "the stock libc is not in $stock: Joyride's stays"
        put "$stock/$libc" "$stock/$ldso" "$system"
    fi
    rm -f "$stock/$libc" "$stock/$ldso"
    ;;
status)
    if [ -n "${system:-}" ] && is_ours "$system/$libc"; then echo joyride; else echo stock; fi
    ;;
*)
    echo "usage: system-libc check | on | off | status" >&2
    exit 2
    ;;
esac
