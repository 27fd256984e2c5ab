# SPDX-License-Identifier: BSD-3-Clause
"""Runs unit tests, such as Python's own: py_suite.py FOLDER MODULE...; a line per test goes to FOLDER/results.

With - for the folder the lines go to standard output, after "@ ".
"""

from __future__ import annotations

import os
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from test import support  # type: ignore[import-not-found]

Error = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


LEAVE_OUT = ("VSOCK",)  # needs a hypervisor that answers


def chosen(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """Its tests one by one, without those to leave out."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test)
        elif not any(word in test.id() for word in LEAVE_OUT):
            yield test


class Result(unittest.TextTestResult):
    """Says what begins and how it ended."""

    out: Any = None
    before = ""

    def tell(self, word: str, test: Any) -> None:
        """A line."""
        self.out.write(f"{self.before}{word} {test.id()}\n")
        self.out.flush()

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self.tell("start", test)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addSuccess(test)
        self.tell("ok", test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self.tell("skipped", test)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self.tell("failed", test)

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self.tell("failed", test)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.tell("failed", test)


def main() -> None:
    """Run them."""
    support.verbose = 0
    support.use_resources = ["network"]
    if sys.argv[1] == "-":
        Result.before = "\n@ "
        place = Path("/proc/self/fd", str(os.dup(1)))
    else:
        os.chdir(sys.argv[1])
        place = Path(sys.argv[1], "results")
    with place.open("a") as out:
        Result.out = out
        suite = unittest.TestSuite()
        for name in sys.argv[2:]:
            suite.addTests(chosen(unittest.defaultTestLoader.loadTestsFromName(name)))
        unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)  # type: ignore[arg-type]
        out.write("end end\n")


if __name__ == "__main__":
    main()
