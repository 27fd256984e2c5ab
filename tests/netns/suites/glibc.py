# SPDX-License-Identifier: BSD-3-Clause
"""glibc's own tests of sockets, the resolver, waiting, descriptors, processes, signals and cancellation.

They are built by the system's compiler against the system's libc, with glibc's `support` as a library: so the same
program runs on both libcs. `python3 -m ci.libc test` runs them all as glibc's makefiles do, without a service.
"""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite, lines

FOLDERS = ("socket", "io", "misc", "inet", "nptl", "posix", "resolv", "nss", "signal", "rt", "support", "libio",
           "stdlib", "login", "sysdeps/pthread", "sysdeps/unix/sysv/linux")  # fmt: skip
# What glibc's makefiles define when they compile `support`, and what its headers for itself would.
FOLDERS_OF_A_BUILD = ("SRC", "OBJ", "INST", "LIB", "BIN", "SBIN", "ROOTSBIN", "COMPLOCALE", "SLIB")
HEADER = r"""
#include <limits.h>
#include <stdint.h>
#include <paths.h>
#define _ISOMAC 1
#define SUPPORT_MODULE 1
#define attribute_hidden
#define libc_hidden_proto(x)
#define libc_hidden_def(x)
#define __glibc_likely(x) (x)
#define __glibc_unlikely(x) (x)
#define _PATH_RESCONF "/etc/resolv.conf"
#define SYSCONFDIR_PATH "/etc"
#define OBJDIR_ELF_LDSO_PATH "/lib64/ld-linux-x86-64.so.2"
#define ROOTSBINDIR "/sbin"
""" + "".join(f'#define {name}DIR_PATH "/nowhere"\n' for name in FOLDERS_OF_A_BUILD)
INCLUDE = ("", "include", "sysdeps/x86", "sysdeps/unix/sysv/linux", "sysdeps/x86_64", "sysdeps/generic",
           "sysdeps/pthread", "nptl")  # fmt: skip
BUILD = f"""
mkdir own own/include own/support bin
cat > own/first.h <<'end'
{HEADER}
end
echo > own/include/config.h
printf '#include <sys/syscall.h>\\n#include <kernel-features.h>\\n' > own/include/sysdep.h
flags="-w -O1 -std=gnu11 -D_GNU_SOURCE -DTIMEOUTFACTOR=2"
flags="$flags -include own/first.h -Iown/include -Isupport {" ".join(f"-idirafter ./{path}" for path in INCLUDE)}"
compile() {{ gcc $flags "$@" 2>> own/errors; }}  # a few want headers of a built tree: they are left out
for file in support/*.c; do
    case $file in */*-container.c|*/links-dso*|*/tst-*|*/test-*) continue;; esac
    compile -c "$file" -o "own/support/$(basename "$file" .c).o" || true
done
ar rcs own/libsupport.a own/support/*.o
for folder in {" ".join(FOLDERS)}; do
    mkdir -p "bin/$folder"
    for file in "$folder"/tst-*.c "$folder"/test-*.c "$folder"/bug*.c; do
        case $file in *time64*|*static*|*'*'*) continue;; esac
        compile -I"$folder" "$file" own/libsupport.a -o "bin/$folder/$(basename "$file" .c)" \\
            -lresolv -lanl -lpthread -lrt -lm || true
    done
done
test -x bin/socket/tst-accept4
"""
# They change the machine (its clock, mounts, accounts, /etc) or want the root file system that glibc makes for them.
NOT_HERE = re.compile(
    r"tst-(nss-(?!getpwent|hash|test4)|reload|adjtimex|clock2|clock_adjtime|ntp_|mount|quota|pututxline|utmp|updwtmpx"
    r"|getcwd-smallbuff|gethostid|lchmod|mntent|ttyname|getaddrinfo[45]|bug18665|leaks|localedef|syslog|system$|setuid"
    r"|setgroups|pldd|initgroups|sem1[123]|vfork3|pathopt|exec-static|spawn-static|no-libidn2|resolv-ai_idn"
    r"|grantpt|posix_fallocate|mlock|fanotify|personality|ldbl|dbl|efgcvt|strto|qsort|random|mutex|cond|rwlock|barrier"
    r"|regex|fnmatch|glob|wordexp|width|printf|fmtmsg|swscanf|wprintf|vtables|bsearch|hsearch|tsearch|malloc|getopt"
    r"|tls|sscanf|makecontext|setcontext|environ|ungetwc|fgetwc|wfile|widetext|xbzero|chk|tininess)|bug-(regex|ga|glob)"
)  # fmt: skip
TOGETHER = 12  # tests in a job


def jobs(tree: Path) -> list[Job]:
    """Several tests a job, with arguments as glibc's makefiles give them where a test wants its own name."""
    found = []
    for folder in FOLDERS:
        names = [path.name for path in sorted((tree / "bin" / folder).iterdir()) if not NOT_HERE.match(path.name)]
        for at in range(0, len(names), TOGETHER):
            few = names[at : at + TOGETHER]
            title = f"{folder.removeprefix('sysdeps/')}: {few[0]} to {few[-1]}"
            found.append(Job(title, command(folder, few), 60 * TOGETHER, RESULT))
    return found


def command(folder: str, names: list[str]) -> str:
    """Run tests one after the other in a folder of their own, each with its word behind it."""
    own = f"d=$PWD/bin/{folder}; mkdir -p /tmp/w; cd /tmp/w; echo > Makefile; for t in {' '.join(names)}; do p=$d/$t; "
    run = (
        'case $t in tst-cancel7|tst-cancelx7) set -- --command "exec $p";; tst-support_capture*) set -- -- "$p";; '
        'tst-exec*|tst-spawn*) set -- "$p";; *) set --;; esac; '
    )
    end = 'timeout -k 5 55 "$p" "$@" < /dev/null; echo "TEST $t: $?"; done'
    return own + run + end


RESULT = lines(r"^TEST (?P<test>\S+): (?P<word>\d+)", {"0": "ok", "77": "skipped", "124": "hung", "137": "hung"})
KNOWN = {"tst-secure-getenv": "Programs that open themselves"}  # it executes a copy of itself, and copies ld.so
Suite("glibc", jobs, source="glibc", build_deps=False, packages=("gcc", "libc6-dev"), build=BUILD, known=KNOWN)
