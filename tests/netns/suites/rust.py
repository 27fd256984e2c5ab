# SPDX-License-Identifier: BSD-3-Clause
"""Rust: the standard library's tests of sockets and processes, those of tokio (on mio), async-std, polling and nix.

Debian's packages of crates bring their tests; cargo builds them without a network.
"""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Parse, Suite, merge

CRATES = """
    assert-impl async-channel async-io async-net async-process async-std async-stream bytes caps cfg-if
    easy-parallel futures futures-lite lazy-static libc mio nix parking-lot pin-project-lite polling rand
    semver socket2 tempfile tokio tokio-stream tokio-test
"""
BUILD = r"""
crates=/usr/share/cargo/registry
export PATH=/usr/bin:/bin CARGO_HOME=$PWD/home RUSTC_BOOTSTRAP=1
features="full rt rt-multi-thread macros fs net process signal sync time io-util io-std test-util acct aio dir env event
    feature hostname inotify ioctl mman mqueue personality poll pthread ptrace quota resource sched socket term ucontext
    uio user zerocopy"  # that the tests ask for
mkdir -p src tests .cargo
: > src/lib.rs
cat > .cargo/config.toml <<END
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "$crates"
END
cat > Cargo.toml <<END
[package]
name = "trials"
version = "0.1.0"
edition = "2021"
[dependencies]
assert-impl = "0.1"
async-channel = "1"
async-io = "1"
async-net = "1"
async-process = "1"
async-std = { version = "1", features = ["attributes", "unstable"] }
async-stream = "0.3"
bytes = "1"
caps = "0.5"
cfg-if = "1"
easy-parallel = "3"
futures = "0.3"
futures-lite = "1"
lazy_static = "1"
libc = "0.2"
mio = { version = "0.8", features = ["os-poll", "os-ext", "net"] }
nix = "0.26"
parking_lot = "0.12"
pin-project-lite = "0.2"
polling = "2"
rand = "0.8"
semver = "1"
socket2 = { version = "0.4", features = ["all"] }
tempfile = "3"
tokio = { version = "1", features = ["full", "test-util"] }
tokio-stream = "0.1"
tokio-test = "0.4"
[profile.test]
debug = 0
[features]
default = [$(printf '"%s", ' $features)]
$(printf '%s = []\n' $features)
END

for crate in tokio polling async-io async-process async-std; do
    for file in $crates/$crate-[0-9]*/tests/*.rs; do
        case $crate/${file##*/} in
        async-std/tcp*|async-std/ud*|async-std/io_timeout*) ;;
        */macros*|*/sync*|*/_require*|*/async_send*|async-std/*) continue;;
        esac
        cp $file tests/$crate-${file##*/}
    done
done
cp -r $crates/tokio-[0-9]*/tests/support tests

cp -r $crates/nix-[0-9]*/test tests/nix
mv tests/nix/test.rs tests/nix/main.rs
sed -i '/^mod test_kmod/d; /^mod test_mount/d' tests/nix/main.rs

std=$(echo /usr/src/rustc-*/library/std/src)
mkdir tests/std
ours() {
    sed 's/\bcrate::sys_common::io::test/crate@scratch/; s/\bcrate::net::test/crate@ports/; s/\bcrate::/std::/g
         s/crate@/crate::/; s/udpsock.0.socket().as_raw()/std::os::unix::io::AsRawFd::as_raw_fd(\&udpsock)/' "$1"
}
ours $std/net/test.rs > tests/std/ports.rs
ours $std/net/tcp/tests.rs > tests/std/tcp.rs
ours $std/net/udp/tests.rs > tests/std/udp.rs
ours $std/os/unix/net/tests.rs | sed 's/^use super::/use std::os::unix::net::/' > tests/std/unix.rs
ours $std/process/tests.rs | sed 's/^use super::/use std::process::/' > tests/std/process.rs
ours $std/sys/unix/process/process_unix/tests.rs > tests/std/process_unix.rs
cat > tests/std/main.rs <<END
#![feature(test, unix_socket_ancillary_data, peer_credentials_unix_socket, unix_socket_peek, unix_socket_abstract)]
#![feature(read_buf, tcp_linger, can_vector, write_all_vectored, io_error_uncategorized, try_blocks)]
#![allow(warnings)]
extern crate test;
mod scratch {
    pub struct Folder(tempfile::TempDir);
    impl Folder {
        pub fn join(&self, name: &str) -> std::path::PathBuf { self.0.path().join(name) }
        pub fn path(&self) -> &std::path::Path { self.0.path() }
    }
    pub fn tmpdir() -> Folder { Folder(tempfile::tempdir().unwrap()) }
}
mod ports;
mod process;
mod process_unix;
mod tcp;
mod udp;
mod unix;
END
cargo test --offline --no-run -j "$JOBS" --test '*'
mkdir bin
for file in target/debug/deps/*; do
    case $file in *.*) ;; *) cp "$file" bin/$(basename "${file%-*}");; esac
done
"""
RESULT = re.compile(r"^test (.+?) \.\.\. (?:.*?\b)?(ok|FAILED|ignored)\b", re.MULTILINE)
WORDS = {"ok": "ok", "ignored": "skipped", "FAILED": "failed"}


def libtest(prefix: str) -> Parse:
    """Results of Rust's harness, with the file's name before each test's."""

    def parse(text: str, _code: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for test, word in RESULT.findall(text):
            merge(found, f"{prefix}: {test}", WORDS[word])
        return found

    return parse


def jobs(tree: Path) -> list[Job]:
    """A job for each file of tests, which are one after the other in it: some are about the whole process."""
    names = sorted(path.name for path in (tree / "bin").iterdir())
    return [Job(name, f"bin/{name} --test-threads=1 2>&1", 180, libtest(name)) for name in names]


Suite("rust", jobs, packages=("cargo", "rustc", "rust-src", *(f"librust-{name}-dev" for name in CRATES.split())),
      build=BUILD, known={"nix: sys::test_socket::test_timestamping": "Options for the kernel alone"})  # fmt: skip
