# SPDX-License-Identifier: BSD-3-Clause
"""Machines to install packages on: chroots in namespaces of their own, gone without a trace when they are closed.

A fresh system is the lower layer of an overlay whose upper layer is in memory, mounted in a private mount namespace:
nothing can reach the host's files, and nothing has to be deleted. One process per machine holds its namespaces; when it
is killed the kernel ends every program in there and takes the mounts away.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOLD = r"""
set -eu
mount -t tmpfs -o size="$SIZE",mode=755 tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay -o "lowerdir=$LOWER,upperdir=$WORK/upper,workdir=$WORK/work" overlay "$WORK/root"
cd "$WORK/root"
mount -t proc proc proc
mount -t sysfs -o ro sys sys
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do touch "dev/$d"; mount --bind "/dev/$d" "dev/$d"; done
mkdir dev/pts dev/shm dev/net
mount -t devpts -o newinstance,ptmxmode=0666,gid=5,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if [ -e /dev/net/tun ]; then touch dev/net/tun; mount --bind /dev/net/tun dev/net/tun; fi
cp /etc/resolv.conf etc/resolv.conf
for f in $APT_CONF; do [ ! -e "$f" ] || cp "$f" etc/apt/apt.conf.d/; done
mkdir -p repo
mount --bind -o ro "$REPO" repo
mount -o remount,ro,bind repo
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
echo ready
exec sleep infinity
"""
VOLATILE = (  # what apt and dpkg themselves write, and what is another one on every machine
    "dev", "proc", "run", "sys", "tmp", "repo", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/log",
    "etc/resolv.conf", "usr/sbin/policy-rc.d", "etc/ld.so.cache", "var/lib/systemd/deb-systemd-helper-enabled",
)  # fmt: skip
BACKUPS = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    argv: tuple[str, ...]
    code: int
    output: str

    def __str__(self) -> str:
        return f"{' '.join(self.argv)} ended with {self.code}:\n{self.output}"


class Chroot:
    """One machine."""

    def __init__(self, lower: Path, work: Path, repo: Path, *, size: str = "2g") -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work = work
        conf = [f"/etc/apt/apt.conf.d/{name}" for name in ("proxy", "99proxy")]
        env = {
            "LOWER": str(lower), "WORK": str(work), "REPO": str(repo), "SIZE": size, "APT_CONF": " ".join(conf),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }  # fmt: skip
        argv = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", HOLD]
        self._holder = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        if said.strip() != "ready":
            self._holder.wait()
            raise RuntimeError(f"no chroot: {said}{self._holder.stdout.read()}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self._pid = int(children[0])

    def close(self) -> None:
        """End every program in there; the mounts go with the last of them."""
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout:
            self._holder.stdout.close()

    def argv(self, *argv: object, netns: str | None = None, outside: bool = False) -> list[str]:
        """The command line that runs `argv` inside; in a network namespace of ip-netns(8)'s, if one is named.

        With `outside`, only in its mount namespace, where the machine is `self.root`.
        """
        enter = ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--root"]  # --root: we may be in a chroot
        enter += [f"--net=/run/netns/{netns}"] if netns else []
        into = ["env", "-C", "/"] if outside else ["chroot", str(self.root)]
        return [*enter, "--", *into, *map(str, argv)]

    @property
    def root(self) -> Path:
        """Where its files are, in its own mount namespace."""
        return self.work / "root"

    @property
    def seen(self) -> Path:
        """Where its files are, seen from the host."""
        return Path(f"/proc/{self._pid}/root{self.root}")

    @staticmethod
    def environment() -> dict[str, str]:
        """What programs in there find."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb"}
        env |= {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        return env | {key: value for key, value in os.environ.items() if key.lower() in {"http_proxy", "https_proxy"}}

    def try_run(self, *argv: object, netns: str | None = None, timeout: float = 900, outside: bool = False) -> Result:
        """Run to the end; nothing is raised when it fails."""
        done = subprocess.run(
            self.argv(*argv, netns=netns, outside=outside),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        return Result(tuple(map(str, argv)), done.returncode, done.stdout)

    def run(self, *argv: object, netns: str | None = None, timeout: float = 900) -> str:
        """Run to the end and return what it printed."""
        result = self.try_run(*argv, netns=netns, timeout=timeout)
        assert result.code == 0, str(result)
        return result.output

    def start(self, *argv: object, netns: str | None = None) -> subprocess.Popen[str]:
        """Start a program whose output can be read."""
        return subprocess.Popen(
            self.argv(*argv, netns=netns),
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def sh(self, script: str, netns: str | None = None) -> str:
        """Run a shell script."""
        return self.run("sh", "-ec", script, netns=netns)

    def apt(self, *words: str, ok: bool = True) -> Result:
        """Run apt-get; it asks nothing and restarts nothing."""
        argv = ("apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Sandbox::User=root", *words)
        result = self.try_run(*argv, timeout=1800)
        assert not ok or result.code == 0, str(result)
        return result

    def installed(self) -> dict[str, str]:
        """Status of each of our packages that dpkg knows."""
        said = self.try_run("dpkg-query", "-W", "-f=${Package} ${db:Status-Abbrev}\n", "joyride*").output
        rows = (line.split() for line in said.splitlines() if line.startswith("joyride"))
        return {row[0]: row[1] if len(row) > 1 else "" for row in rows}

    def files(self) -> dict[str, str]:
        """Every file with what it is: mode, owner and the hash of its content."""
        return dict(_listing(self.seen))


def _listing(root: Path) -> Iterator[tuple[str, str]]:
    for folder, below, names in os.walk(root):
        at = Path(folder)
        where = "" if at == root else str(at.relative_to(root))
        below[:] = [name for name in sorted(below) if f"{where}/{name}".lstrip("/") not in VOLATILE]
        for name in sorted([*below, *names]):
            path = f"{where}/{name}".lstrip("/")
            if path not in VOLATILE and path not in BACKUPS:
                yield path, _what(at / name)


def _what(path: Path) -> str:
    info = path.lstat()
    said = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid}"
    if stat.S_ISLNK(info.st_mode):
        return f"{said} -> {path.readlink()}"
    if stat.S_ISREG(info.st_mode):
        return f"{said} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return said


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is not as it was."""
    return [
        f"{path}: {before.get(path, 'absent')} → {after.get(path, 'absent')}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
