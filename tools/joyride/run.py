# SPDX-License-Identifier: BSD-3-Clause
"""`joyride run`: starts a program on the patched libc."""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from pathlib import Path

from joyride import elf, places

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_LOADER = Path("/lib64/ld-linux-x86-64.so.2")
_SYSTEM_LIBC = (Path("/lib/x86_64-linux-gnu/libc.so.6"), Path("/lib64/libc.so.6"))


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "run",
        help="start a program on Joyride",
        description="Start a program on the patched libc. It sees no difference: what Joyride does not carry goes to "
        "the kernel, and without a running service all of it does.",
        epilog="example: joyride run curl -O http://10.0.0.2/file",
    )
    parser.add_argument(
        "--libc",
        type=Path,
        metavar="DIR",
        help="folder with ld.so and libc.so.6 (default: $JOYRIDE_LIBC, /opt/joyride)",
    )
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="the service's control socket (default: /run/joyride/netsvc.sock)"
    )
    parser.add_argument(
        "--namespace",
        action="store_true",
        help="put the patched libc over the system's in a private mount namespace instead of starting the loader: the "
        "program's name and /proc/PID/exe are its own, and all its children are on Joyride too",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="also serve system calls that the program makes without libc (Go with cgo); each costs a signal",
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="print each call that Joyride routes, as strace does, with where it went and why",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="with --trace: child processes, too")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="with --trace: append there instead of to standard error"
    )
    parser.add_argument("program", help="the program, looked up in $PATH")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="its arguments")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replace this process by the program; returns only when that fails."""
    prefix = (options.libc or places.libc_prefix()).resolve()
    loader = prefix / "ld.so"
    if not loader.exists():
        return _fail(f"{loader} does not exist: install joyride-libc, or say --libc DIR")
    if options.socket:
        os.environ["JOYRIDE_SOCKET"] = str(options.socket.resolve())
    if options.raw:
        os.environ["JOYRIDE_RAW"] = "1"
    if options.trace:
        os.environ["JOYRIDE_TRACE"] = trace_value(options.output, follow=options.follow)
    try:
        program = elf.find(options.program, options.args)
    except (OSError, ValueError) as error:
        return _fail(str(error))
    if program.interp is None:
        print(f"joyride: {program.path} is statically linked: it stays on the kernel's stack", file=sys.stderr)
        os.execv(program.path, [program.name, *program.args])
    if program.privileged:
        print(f"joyride: {program.path} is set-id: it starts on the system's libc", file=sys.stderr)
        os.execv(program.path, [program.name, *program.args])
    try:
        if options.namespace:
            _enter_namespace(prefix)
            os.execv(program.path, [program.name, *program.args])
        os.execv(loader, [str(loader), "--argv0", program.name, str(program.path), *program.args])
    except OSError as error:
        return _fail(f"{error}")


def trace_value(output: Path | None, *, follow: bool) -> str:
    """What the environment tells libc: which process, where to. This process becomes the program."""
    return f"{0 if follow else os.getpid()}:{output.resolve() if output else '-'}"


def _enter_namespace(prefix: Path) -> None:
    """A mount namespace of our own (with a user namespace when not root), the patched files over the system's.

    Raises:
        OSError: the kernel does not allow it; the text says what to do instead.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | (CLONE_NEWUSER if os.geteuid() != 0 else 0)
    advice = "; run as root, or without --namespace"
    _call("unshare", flags, advice=advice)
    if flags & CLONE_NEWUSER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1\n")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1\n")
    _call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None, advice=advice)
    libc = next((p for p in _SYSTEM_LIBC if p.exists()), None)
    if libc is None:
        raise OSError("the system's libc.so.6 was not found")
    # The libc first: the bind of the loader must come when nothing else is to be loaded by this process.
    for source, target in ((prefix / "libc.so.6", libc), (prefix / "ld.so", _LOADER)):
        _call("mount", os.fsencode(source), os.fsencode(target.resolve()), None, MS_BIND, None, advice=advice)


def _call(name: str, *args: object, advice: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}{advice}")


def _fail(text: str) -> int:
    print(f"joyride: {text}", file=sys.stderr)
    return 127
