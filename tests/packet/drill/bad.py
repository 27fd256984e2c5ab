# SPDX-License-Identifier: BSD-3-Clause
"""Runs scripts that must be refused (bad/) or must fail (fail/) and looks at what drill says of them.

The first line of each is `// error: LINE: TEXT`: standard error must have file:LINE: TEXT.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATUS = {"fail": 1, "bad": 2}


def complaint(drill: str, script: Path) -> str | None:
    """What is wrong with drill's verdict; None: nothing."""
    wanted = script.read_text().splitlines()[0].removeprefix("// error: ")
    line, _, text = wanted.partition(": ")
    done = subprocess.run([drill, "--strict", str(script)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != STATUS[script.parent.name]:
        return f"exit status {done.returncode}: {done.stderr}"
    if f"{script}:{line}: {text}" not in done.stderr:
        return f"expected {line}: {text}, got: {done.stderr}"
    return None


def main() -> int:
    """Judge every script; the number of those that were judged wrongly is the exit status."""
    scripts = sorted(HERE.glob("bad/*.pkt")) + sorted(HERE.glob("fail/*.pkt"))
    wrong = 0
    for script in scripts:
        why = complaint(sys.argv[1], script)
        if why:
            wrong += 1
            print(f"{script.name}: {why}")
    return 1 if wrong or not scripts else 0


if __name__ == "__main__":
    sys.exit(main())
