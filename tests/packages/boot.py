# SPDX-License-Identifier: BSD-3-Clause
"""Starts a system on a machine's files: systemd as process 1 of a container, in namespaces of its own.

What it mounts and writes below /proc, /sys and /dev stays in its namespaces; /proc/sys is read-only, so that the host's
kernel keeps its settings.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

from chroot import Chroot, Result

START_SECONDS = 300
# Its own branch of the cgroups has to exist before the namespace that shows it as the root.
ENTER = r"""
set -eu
mkdir -p "$WORK/cgroup"
mount -t cgroup2 cgroup2 "$WORK/cgroup"
mkdir -p "$WORK/cgroup/$GROUP"
echo $$ >"$WORK/cgroup/$GROUP/cgroup.procs"
umount "$WORK/cgroup"
exec unshare --mount --propagation private --pid --cgroup --ipc --uts $NET --fork --kill-child sh -c "$BOOT"
"""
BOOT = r"""
set -eu
cd "$WORK/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do touch "dev/$d"; mount --bind "/dev/$d" "dev/$d"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,gid=5,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
exec env -i container=joyride-test PATH=/usr/sbin:/usr/bin chroot . /sbin/init --log-target=journal --show-status=0
"""
SWEEP = r"""
mount -t cgroup2 cgroup2 "$WORK/cgroup" && cd "$WORK/cgroup" && [ -d "$GROUP" ] || exit 0
find "$GROUP" -depth -type d -exec rmdir {} +
"""


class Boot:
    """A system that was started on a machine's files; it ends with `close`."""

    def __init__(self, machine: Chroot, *, netns: str | None = None) -> None:
        self.machine = machine
        self._env = {
            "WORK": str(machine.work), "GROUP": f"joyride-test-{os.getpid()}-{time.monotonic_ns()}", "BOOT": BOOT,
            "NET": "" if netns else "--net", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }  # fmt: skip
        self._process = subprocess.Popen(
            machine.argv("sh", "-c", ENTER, outside=True, netns=netns),
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self._pid = self._wait_for_init()
            self._wait_until_up()
        except BaseException:
            self.close()
            raise

    def _wait_for_init(self) -> int:
        end = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):  # one of them may just be ending
                pid = self._process.pid
                while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    pid = int(children[0])
                    if Path(f"/proc/{pid}/comm").read_text().strip() in {"systemd", "init"}:
                        return pid
            time.sleep(0.05)
        self._process.kill()
        said = self._process.stdout.read() if self._process.stdout else ""
        raise AssertionError(f"no process 1: {said}")

    def _wait_until_up(self) -> None:
        end = time.monotonic() + START_SECONDS
        state = ""
        while self._process.poll() is None and time.monotonic() < end:
            state = self.try_run("systemctl", "is-system-running").output.strip()
            if state in {"running", "degraded"}:
                return
            time.sleep(0.2)
        raise AssertionError(f"not up after {START_SECONDS} s: {state}\n{self.journal()}")

    def close(self) -> None:
        """End process 1, and with it everything in there."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError):  # it may have ended by itself
            for pid in map(int, children.read_text().split()):  # unshare, whose --kill-child ends process 1
                os.kill(pid, 9)
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        end = time.monotonic() + 60
        while self._sweep() and time.monotonic() < end:
            time.sleep(0.1)

    def _sweep(self) -> int:
        """Remove its cgroups; not 0 while a process that ends is still in there."""
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'mkdir -p "$WORK/cgroup"\n{SWEEP}']
        return subprocess.run(argv, env=self._env, capture_output=True, check=False).returncode

    def try_run(self, *argv: object, timeout: float = 300) -> Result:
        """Run in there to the end; nothing is raised when it fails."""
        kinds = ["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root"]
        enter = ["nsenter", f"--target={self._pid}", *kinds, "--", *map(str, argv)]
        done = subprocess.run(
            enter, env=Chroot.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, check=False,
        )  # fmt: skip
        return Result(tuple(map(str, argv)), done.returncode, done.stdout)

    def run(self, *argv: object, timeout: float = 300) -> str:
        """Run in there to the end and return what it printed."""
        result = self.try_run(*argv, timeout=timeout)
        assert result.code == 0, f"{result}\n{self.journal()}"
        return result.output

    def journal(self) -> str:
        """The last lines of its log."""
        return self.try_run("journalctl", "--no-pager", "-n", "60", "-o", "cat").output
