# SPDX-License-Identifier: BSD-3-Clause
"""Node.js' own tests of sockets, HTTP, datagrams, TLS, clusters, names and processes, with the distribution's node."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite

PARTS = """
    net http https http2 dgram cluster tls dns child-process pipe stdio listen socket tcp
"""
BATCH = 24
AT_ONCE = 4
RUN = r"""
import concurrent.futures, os, re, subprocess, sys
def run(path):
    number = sys.argv.index(path)  # has a folder and a port of its own
    text = open(path, errors="replace").read()
    flags = " ".join(re.findall(r"^// Flags:(.*)$", text, re.M)).split()
    try:
        argv = ["/usr/bin/node", *flags, path]
        env = {**os.environ, "TEST_THREAD_ID": str(number)}
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=env)
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        code, said = "hung", (late.stdout or b"") + (late.stderr or b"")
    return path, code, said.decode(errors="replace")
with concurrent.futures.ThreadPoolExecutor(int(sys.argv[1])) as pool:
    for path, code, said in pool.map(run, sys.argv[2:]):
        skipped = code == 0 and said.startswith("1..0 # Skipped")
        word = "skipped" if skipped else "ok" if code == 0 else "hung" if code == "hung" else "failed"
        print("@", path, word, flush=True)
        if code: print(said[-3000:], flush=True)
"""


def parse(text: str, _code: int) -> dict[str, str]:
    """Lines of RUN's."""
    return {m[1]: m[2] for m in re.finditer(r"^@ \S*/(test-\S+)\.m?js (\w+)$", text, re.MULTILINE)}


def jobs(tree: Path) -> list[Job]:
    """Some files at once, which they are made for; those of `sequential` one by one."""
    found = []
    for folder, at_once in (("parallel", AT_ONCE), ("sequential", 1)):
        for part in PARTS.split():
            files = sorted(path.relative_to(tree) for path in (tree / "test" / folder).glob(f"test-{part}-*js"))
            for start in range(0, len(files), BATCH):
                batch = files[start : start + BATCH]
                command = f"python3 - {at_once} {' '.join(map(str, batch))} <<'END'\n{RUN}\nEND"
                found.append(Job(f"{folder} {part} {start // BATCH + 1}", command, 400, parse))
    return found


Suite("node", jobs, source="nodejs", build_deps=False, packages=("nodejs", "python3"), copy=True,
      env={"NODE_TEST_DIR": "/tmp"})  # fmt: skip
