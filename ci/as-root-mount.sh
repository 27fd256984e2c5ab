#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# as-root-mount.sh COMMAND...: runs it where "/" is a mount point. ip(8) changes the propagation of "/" when it enters a
# network namespace, which fails in a plain chroot; there the command gets a mount namespace of its own with
# the same files under a new root. Everywhere else it is simply started.
set -eu
if mountpoint -q /; then
    exec "$@"
fi
if [ "${JOYRIDE_ROOT_MOUNT:-}" = "" ]; then
    new=$(mktemp -d /tmp/joyride-root.XXXXXX)
    trap 'rmdir "$new"' EXIT
    JOYRIDE_ROOT_MOUNT=$new unshare --mount --propagation unchanged sh "$0" "$@" && code=0 || code=$?
    ! mountpoint -q "$new" || umount -l "$new" # where the mount was shared with the namespace outside
    exit "$code"
fi
new=$JOYRIDE_ROOT_MOUNT
unset JOYRIDE_ROOT_MOUNT
mount --rbind / "$new"
mount --make-rprivate "$new"
exec chroot "$new" env -C "$PWD" "$@"
