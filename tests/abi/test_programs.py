# SPDX-License-Identifier: BSD-3-Clause
"""Ordinary programs started by /opt/joyride/ld.so behave as ever, and so do their children, on the patched libc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.abi

PYTHON = str(Path(sys.executable).resolve())
MAPS = "/proc/self/maps"
LIBC_USED = "sed -n '/libc[.-].*so/{s/.* //;p;q}' /proc/self/maps"


def run(*argv: str | Path, check: bool = True, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
    )
    assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def program(name: str) -> str:
    path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


Script = Callable[[str, str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes an executable file with the given text."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    "argv",
    [
        ["ls", "/usr"],
        ["bash", "-c", "echo $((6*7)); printf '%s\\n' {a,b}"],
        ["python3", "-c", "import sys, ssl, json; print(sys.version, sys.executable, sys.prefix)"],
        ["perl", "-e", "print $^X, ' ', sqrt(2), qq(\\n)"],
        ["curl", "--version"],
        ["getent", "passwd", "root"],
        ["getent", "ahosts", "127.0.0.1"],
        ["locale", "-a"],
        ["iconv", "-l"],
        ["date", "-d", "@86400", "+%c %Z"],
        ["grep", "-c", ".", "/etc/passwd"],
        ["openssl", "version"],
        ["awk", 'BEGIN { printf "%.3f\\n", atan2(1, 1) }'],
        ["ldconfig", "-p"],
    ],
    ids=lambda argv: " ".join(argv[:2]),
)
def test_same_output_as_on_the_stock_libc(libc_dir: Path, argv: list[str]) -> None:
    path = program(argv[0])
    assert (
        run(libc_dir / "ld.so", path, *argv[1:], TZ="Europe/Paris").stdout
        == run(path, *argv[1:], TZ="Europe/Paris").stdout
    )


def test_libc_and_loader_come_from_our_folder(libc_dir: Path) -> None:
    maps = run(libc_dir / "ld.so", "/bin/cat", MAPS).stdout
    names = {line.split()[-1] for line in maps.splitlines() if "libc" in line or "/ld" in line}
    assert names == {str(libc_dir / "libc.so.6"), str(libc_dir / "ld.so")}


def test_library_path_does_not_bring_another_libc(libc_dir: Path) -> None:
    maps = run(libc_dir / "ld.so", "/bin/cat", MAPS, LD_LIBRARY_PATH="/lib/x86_64-linux-gnu").stdout
    assert str(libc_dir / "libc.so.6") in maps
    assert "/lib/x86_64-linux-gnu/libc.so.6" not in maps


def test_opening_the_system_libc_by_path_gives_the_one_in_use(libc_dir: Path) -> None:
    code = (
        "import ctypes; a = ctypes.CDLL('libc.so.6')._handle\n"
        "b = ctypes.CDLL('/lib/x86_64-linux-gnu/libc.so.6')._handle\n"
        f"print(a == b, len({{l.split()[-1] for l in open('{MAPS}') if 'libc.so' in l}}))"
    )
    assert run(libc_dir / "ld.so", PYTHON, "-c", code).stdout == "True 1\n"


def test_folder_may_be_moved(libc_dir: Path, tmp_path: Path) -> None:
    for name in ("ld.so", "libc.so.6"):
        shutil.copy(libc_dir / name, tmp_path / name)
    out = run(tmp_path / "ld.so", "/bin/bash", "-c", f"{LIBC_USED}; true").stdout
    assert out.strip() == str(tmp_path / "libc.so.6")


def test_children_keep_the_libc(libc_dir: Path, script: Script) -> None:
    last = script("last.sh", f'#!/bin/sh -e\n{LIBC_USED}\necho "$0 $*"\n')
    code = f"import subprocess; print(subprocess.check_output(['{last}', 'a', 'b c'], text=True), end='')"
    done = run(libc_dir / "ld.so", "/bin/bash", "-c", f'{PYTHON} -c "{code}"; true')
    assert done.stdout == f"{libc_dir}/libc.so.6\n{last} a b c\n"


@pytest.mark.parametrize(
    "call",
    [
        "os.system(cmd)",
        "print(os.popen(cmd).read(), end='')",
        "os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', cmd], os.environ), 0)",
        "os.waitpid(os.posix_spawnp('sh', ['sh', '-c', cmd] + ['x'] * 5000, os.environ), 0)",
        "subprocess.run(['sh', '-c', cmd])",
        "subprocess.run(['sh', '-c', cmd], preexec_fn=lambda: None)",
        "os.execvp('sh', ['sh', '-c', cmd])",
        "os.chdir('/bin'); os.execv('sh', ['sh', '-c', cmd])",
        "os.execve(os.open('/bin/sh', os.O_RDONLY), ['sh', '-c', cmd], os.environ)",
        "os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', cmd)",
    ],
)
def test_every_way_to_start_a_program_keeps_it(libc_dir: Path, call: str) -> None:
    code = f"import os, subprocess, sys\ncmd = {LIBC_USED!r}\n{call}"
    assert run(libc_dir / "ld.so", PYTHON, "-c", code).stdout.strip() == str(libc_dir / "libc.so.6")


def test_set_id_program_runs_on_the_stock_libc(libc_dir: Path, tmp_path: Path) -> None:
    cat = tmp_path / "cat"
    shutil.copy("/bin/cat", cat)
    for mode in (0o4755, 0o2755):
        cat.chmod(mode)
        maps = run(libc_dir / "ld.so", "/bin/sh", "-c", f"{cat} {MAPS}; true").stdout
        assert str(libc_dir) not in maps, f"{mode:o}"
    cat.chmod(0o755)
    assert str(libc_dir) in run(libc_dir / "ld.so", "/bin/sh", "-c", f"{cat} {MAPS}; true").stdout


def test_program_with_capabilities_runs_on_the_stock_libc(libc_dir: Path, tmp_path: Path) -> None:
    cat = tmp_path / "cat"
    shutil.copy("/bin/cat", cat)
    # cap_net_raw=ep, as VFS_CAP_REVISION_2 stores it
    value = (0x02000001).to_bytes(4, "little") + (1 << 13).to_bytes(4, "little") + bytes(12)
    try:
        os.setxattr(cat, "security.capability", value)
    except OSError as err:
        pytest.skip(f"no file capabilities here: {err}")
    assert str(libc_dir) not in run(libc_dir / "ld.so", "/bin/sh", "-c", f"{cat} {MAPS}; true").stdout


def test_proc_self_exe_is_the_program(libc_dir: Path, tmp_path: Path) -> None:
    code = (
        "import os, json; me = f'/proc/{os.getpid()}/exe'\n"
        "print(json.dumps([os.readlink('/proc/self/exe'), os.readlink(me), os.path.realpath('/proc/self/exe'),"
        " os.readlink('/proc/thread-self/exe', dir_fd=os.open('/', os.O_PATH))]))"
    )
    link = tmp_path / "a-link"
    link.symlink_to(PYTHON)
    assert json.loads(run(libc_dir / "ld.so", link, "-c", code).stdout) == json.loads(run(link, "-c", code).stdout)
    again = "import os; os.execv('/proc/self/exe', ['p', '-c', 'import os; print(os.readlink(\"/proc/self/exe\"))'])"
    assert run(libc_dir / "ld.so", PYTHON, "-c", again).stdout.strip() == PYTHON


def test_others_see_the_programs_name(libc_dir: Path, script: Script) -> None:
    named = script("some-name.sh", "#!/bin/sh\ncat /proc/$$/comm; true\n")
    assert (
        run(libc_dir / "ld.so", "/bin/sh", "-c", f"{named}; cat /proc/self/comm; true").stdout == "some-name.sh\ncat\n"
    )
    assert run(libc_dir / "ld.so", "/bin/cat", "/proc/self/comm").stdout == "cat\n"


def test_command_line_is_the_programs(libc_dir: Path, script: Script) -> None:
    named = script("named.sh", "#!/bin/sh -e\ncat /proc/$$/cmdline; true\n")
    argv = ["/bin/bash", "-c", f"{named} a '' 'b c'; exec -a other cat /proc/self/cmdline"]
    ours = run(libc_dir / "ld.so", *argv).stdout
    if "--argv0" in ours:
        pytest.skip("this kernel has no PR_SET_MM_MAP")
    assert ours == run(*argv).stdout
    assert run(libc_dir / "ld.so", "/bin/cat", "/proc/self/cmdline").stdout == "/bin/cat\0/proc/self/cmdline\0"


def test_arguments_arrive_as_the_kernel_gives_them(libc_dir: Path, script: Script) -> None:
    inner = script("inner", "#! /bin/echo  one arg \t\nunused\n")
    outer = script("outer", f"#!{inner}   two\n")
    commands = (
        f"{inner} x 'y z'",
        f"{outer} x",
        f"{outer}",
        "exec -a other /bin/sh -c 'echo $0'",
        "exec -a --list /bin/echo hi",
    )
    for command in commands:
        argv = ["/bin/bash", "-c", f"{command}; true" if "exec" not in command else command]
        assert run(libc_dir / "ld.so", *argv).stdout == run(*argv).stdout, command


def test_failures_are_those_of_execve(libc_dir: Path, tmp_path: Path, script: Script) -> None:
    (tmp_path / "no-x").write_text("#!/bin/sh\n")
    (tmp_path / "dir").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    script("text", "plain text\n")
    script("empty", "")
    script("bad-interp", "#!/nonexistent/interpreter\n")
    script("no-interp", "#!   \n")
    script("dir-interp", f"#!{tmp_path}/dir\n")
    script("long-interp", "#!/" + "x" * 300 + "\n")
    script("elf-head", "\x7fELF rest")
    script("self", f"#!{tmp_path}/self\n")
    code = (
        "import os, errno, sys\n"
        "for name in ['none', 'no-x', 'dir', 'loop', 'text', 'empty', 'bad-interp', 'no-interp', 'dir-interp',"
        " 'long-interp', 'elf-head', 'self', 'text/x', 'x' * 300, '']:\n"
        "    try: os.execv(name, ['arg0'])\n"
        "    except OSError as e: print(name[:20], errno.errorcode[e.errno])\n"
    )
    ours = run(libc_dir / "ld.so", PYTHON, "-c", code, cwd=tmp_path).stdout
    assert ours == run(PYTHON, "-c", code, cwd=tmp_path).stdout
    assert len(ours.splitlines()) == 15


def test_other_loader_leads_back_to_the_stock_libc(libc_dir: Path) -> None:
    maps = run(libc_dir / "ld.so", "/bin/sh", "-c", f"/lib64/ld-linux-x86-64.so.2 /bin/cat {MAPS}; true").stdout
    assert str(libc_dir) not in maps


def test_argument_list_too_long_for_us_still_runs(libc_dir: Path) -> None:
    """The words added for ld.so may be the ones too many: then the program runs on the stock libc."""
    code = (
        "import os, subprocess\n"
        "def fits(n):\n"
        "    try: return subprocess.run(['/bin/true'] + ['x' * 1000] * n, env={}).returncode == 0\n"
        "    except OSError: return False\n"
        "low, high = 1, 100000\n"
        "while high - low > 1:\n"
        "    mid = (low + high) // 2\n"
        "    low, high = (mid, high) if fits(mid) else (low, mid)\n"
        "print(low)\n"
    )
    assert run(libc_dir / "ld.so", PYTHON, "-c", code).stdout == run(PYTHON, "-c", code).stdout
