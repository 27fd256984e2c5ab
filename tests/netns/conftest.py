# SPDX-License-Identifier: BSD-3-Clause
"""What the tests here stand on: a pair of machines, a service on the first, programs on either stack.

A test that takes `net` runs twice: with the host's programs on Joyride and, as the oracle, on the kernel's stack. One
that takes `joyride` runs on Joyride only. After each test the service must still run, have no socket left and end
cleanly.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import cleanup, hugepages, machine, netns, service
from harness.machine import BUILD, KERNEL, LIBC_PREFIX, Machine
from harness.service import Service

SCRIPT = Path(__file__).resolve().parents[1] / "harness/scripts/sock.py"
LOGS = BUILD / "test-logs"


@dataclass
class Net:
    """The machines of one test."""

    pair: netns.Pair
    host: Machine  # its programs run on the stack under test
    peer: Machine  # the kernel's stack
    folder: Path
    service: Service | None = None

    @property
    def kernel_host(self) -> Machine:
        """The host with its programs on the kernel's stack."""
        return self.host.on(KERNEL)

    @property
    def running_service(self) -> Service:
        """The service, for tests that only make sense with it."""
        assert self.service is not None, "this test is for Joyride only"
        return self.service


@pytest.fixture(scope="session", autouse=True)
def _clean_machine() -> Iterator[None]:
    netns.require_root()
    cleanup.remove_leftovers()
    with hugepages.restored():
        yield


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for the test's files; its logs are kept in build/test-logs when the test fails."""
    with machine.work_folder() as path:
        yield path
        report = request.node.stash.get(_REPORT, None)
        if report is None or report.failed:
            keep = LOGS / re.sub(r"[^\w.-]+", "_", request.node.name)
            machine.keep_logs(path, keep)
            print(f"logs: {keep}")


@pytest.fixture
def pair() -> Iterator[netns.Pair]:
    """Two namespaces and a veth."""
    with netns.veth_pair() as made:
        yield made


@pytest.fixture
def config() -> service.Config:
    """The service's configuration; a test overrides this fixture to have another."""
    return service.veth_config()


@pytest.fixture
def joyride(pair: netns.Pair, folder: Path, config: service.Config) -> Iterator[Net]:
    """The pair with a service on the host, programs there on the patched libc."""
    require_joyride()
    peer, host = Machine(pair.peer, KERNEL, folder), Machine(pair.host, KERNEL, folder)
    with service.running(host, config) as svc:
        yield Net(pair, host.on(svc.stack()), peer, folder, svc)
        if svc.expected_alive:
            assert svc.process.running, f"the service died during the test\n{svc.process.tail()}"
            svc.wait_for_sockets(0)
            assert svc.process.stop() == 0, f"the service did not end cleanly\n{svc.process.tail()}"


@pytest.fixture
def kernel(pair: netns.Pair, folder: Path) -> Net:
    """The pair with no service at all."""
    return Net(pair, Machine(pair.host, KERNEL, folder), Machine(pair.peer, KERNEL, folder), folder)


@pytest.fixture(params=["joyride", "kernel"])
def net(request: pytest.FixtureRequest) -> Net:
    """The pair, once on each stack."""
    made: Net = request.getfixturevalue(request.param)
    return made


def require_joyride() -> None:
    """Fail, never skip: a run without service or libc proves nothing."""
    for path, session in ((service.BINARY, "build-netsvc"), (LIBC_PREFIX / "ld.so", "build-libc")):
        if not path.exists():
            pytest.fail(f"{path} is missing: nox -s {session}", pytrace=False)


_REPORT: pytest.StashKey[pytest.TestReport] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or report.failed:
        item.stash[_REPORT] = report
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.netns)
