# SPDX-License-Identifier: BSD-3-Clause
"""`joyride doctor`: looks at everything a program on Joyride needs, and says what to do where something is missing."""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from joyride import places, query

OK, WARN, FAIL = "ok", "warning", "FAILED"
_SYS_FUTEX_WAITV = 449
_HELLO = "import socket; socket.socket().close()"


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    verdict: str
    said: str
    advice: str = ""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "doctor",
        help="find out what is wrong",
        description="Check libc, service and machine; ends with 1 if something is broken.",
    )
    parser.add_argument(
        "--libc",
        type=Path,
        metavar="DIR",
        help="folder with ld.so and libc.so.6 (default: $JOYRIDE_LIBC, /opt/joyride)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the findings."""
    prefix = options.libc or places.libc_prefix()
    worst = 0
    for finding in examine(prefix, options.run_dir):
        print(f"{finding.verdict:8} {finding.what}: {finding.said}")
        if finding.advice:
            print(f"         → {finding.advice}")
        worst |= finding.verdict == FAIL
    return worst


def examine(prefix: Path, run_dir: Path) -> Iterator[Finding]:
    """All checks, each shielded from the others' failures."""
    checks: list[Callable[[], Finding]] = [
        lambda: check_libc(prefix),
        lambda: check_libc_version(prefix),
        check_environment,
        lambda: check_socket(run_dir),
        lambda: check_stats(run_dir),
        lambda: check_attach(prefix, run_dir),
        check_futex_waitv,
        check_huge_pages,
        check_limits,
        check_drivers,
    ]
    for check in checks:
        try:
            yield check()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            yield Finding("check", FAIL, str(error))


def check_libc(prefix: Path) -> Finding:
    """Does the patched loader run a program?"""
    loader = prefix / "ld.so"
    if not loader.exists() or not (prefix / "libc.so.6").exists():
        return Finding("libc", FAIL, f"no ld.so and libc.so.6 in {prefix}", "install joyride-libc, or say --libc DIR")
    done = subprocess.run([loader, shutil.which("true") or "/bin/true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return Finding("libc", FAIL, f"{loader} can't run /bin/true: {done.stderr.strip()}", "reinstall joyride-libc")
    return Finding("libc", OK, f"{loader} runs programs")


def check_libc_version(prefix: Path) -> Finding:
    """Is it of the same release as the system's? Its sibling libraries are the system's."""
    ours, system = _release(prefix / "libc.so.6"), _release(Path("/lib/x86_64-linux-gnu/libc.so.6"))
    if ours == system:
        return Finding("libc release", OK, ours or "unknown")
    advice = "install the joyride-libc that was built for this release"
    return Finding("libc release", FAIL, f"ours is {ours}, the system's is {system}", advice)


def _release(libc: Path) -> str:
    if not libc.exists():
        return ""
    data = libc.read_bytes()
    start = data.find(b"GNU C Library (")
    words = data[start : data.find(b"\n", start)].decode(errors="replace") if start >= 0 else ""
    return words.rpartition("version ")[2].rstrip(".")


def check_environment() -> Finding:
    """Is Joyride turned off for this shell?"""
    if os.environ.get("JOYRIDE") == "off":
        return Finding("environment", WARN, "JOYRIDE=off: programs started here use the kernel", "unset JOYRIDE")
    return Finding("environment", OK, "JOYRIDE is not off")


def check_socket(run_dir: Path) -> Finding:
    """Can the control socket be connected to?"""
    path = run_dir / "netsvc.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(2)
        try:
            sock.connect(str(path))
        except OSError as error:
            return Finding("service", FAIL, f"{path}: {error.strerror}", "start it: systemctl start joyride-netsvc")
    return Finding("service", OK, f"{path} accepts programs")


def check_stats(run_dir: Path) -> Finding:
    """Does it tell its state, and has it a port?"""
    try:
        document = query.snapshot(run_dir)
    except query.ServiceAbsent as error:
        return Finding("ports", FAIL, str(error))
    ports = document.get("ports", [])
    if not ports:
        return Finding("ports", FAIL, "the service has none", "add a [[port]] to /etc/joyride/netsvc.toml")
    names = [str(p.get("name", "?")) for p in ports] if isinstance(ports, list) else list(ports)
    return Finding("ports", OK, f"{', '.join(names)}; {len(document.get('sockets', []))} sockets")


def check_attach(prefix: Path, run_dir: Path) -> Finding:
    """Does a program on the patched libc reach the service?"""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None or not (prefix / "ld.so").exists():
        return Finding("attach", WARN, "not tried: it needs /usr/bin/python3 and the libc")
    if check_socket(run_dir).verdict == FAIL:
        return Finding("attach", WARN, "not tried: no service answers, programs are on the kernel's network")
    env = {**os.environ, "JOYRIDE_SOCKET": str(run_dir / "netsvc.sock")}
    env.pop("JOYRIDE", None)
    code = f"{_HELLO}; import sys; sys.stdout.write(open('/proc/self/maps').read())"
    argv = [str(prefix / "ld.so"), python, "-I", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20, env=env)
    if done.returncode != 0:
        return Finding(
            "attach", FAIL, f"a program that opens a socket ended with {done.returncode}: {done.stderr.strip()[-200:]}"
        )
    if "memfd:joyride" not in done.stdout and "memfd:jr" not in done.stdout:
        advice = "the service refused it or is of another version: see its log (journalctl -u joyride-netsvc)"
        return Finding("attach", FAIL, "a program opened a socket and did not map the service's memory", advice)
    return Finding("attach", OK, "a program got its memory from the service")


def check_futex_waitv() -> Finding:
    """Has the kernel futex_waitv (5.16)? Without it blocked programs look once a second whether the service lives."""
    ctypes.CDLL(None, use_errno=True).syscall(_SYS_FUTEX_WAITV, None, 0, 0, None, 0)
    if ctypes.get_errno() == 38:
        return Finding(
            "kernel", WARN, f"{os.uname().release} has no futex_waitv", "5.16 or newer lets programs sleep longer"
        )
    return Finding("kernel", OK, f"{os.uname().release} has futex_waitv")


def check_huge_pages() -> Finding:
    """Are there huge pages for DPDK?"""
    values = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(values[k].split()[0]) for k in ("HugePages_Total", "HugePages_Free"))
    if total == 0:
        return Finding("huge pages", WARN, "none: the service works without, slower", "sysctl -w vm.nr_hugepages=256")
    return Finding("huge pages", OK, f"{total}, {free} free")


def check_limits() -> Finding:
    """May a program open enough fds?"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        return Finding(
            "limits", WARN, f"{hard} open files at most", "raise LimitNOFILE= or ulimit -n: parked handles need numbers"
        )
    return Finding("limits", OK, f"{soft} open files, {hard} at most")


def check_drivers() -> Finding:
    """Are DPDK's drivers for shared interfaces installed?"""
    folders = list(Path("/usr/lib").glob("*/dpdk/pmds-*")) + list(Path("/usr/lib64").glob("dpdk/pmds-*"))
    have = {
        name for folder in folders for name in ("af_xdp", "memif", "tap") if any(folder.glob(f"librte_net_{name}.so*"))
    }
    if not have:
        return Finding(
            "drivers",
            WARN,
            "no DPDK drivers found as shared libraries",
            "apt-get install libdpdk-dev, or see the service's log",
        )
    return Finding("drivers", OK, ", ".join(sorted(have)))
