# SPDX-License-Identifier: BSD-3-Clause
"""The RPM packages, installed by dnf from a signed repository.

The machine is the Debian of the other tests: a package made here says that it has what a distribution with rpm has. dnf
is the host's, which installs into the machine's folder.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chroot import Chroot, Result
from conftest import OUT

from ci.packages import repo, rpm
from ci.packages.stage import Stage

BASE = """\
Name: base
Version: 1
Release: 1
Summary: What the machine has
License: none
BuildArch: noarch
{provides}
%description
.
%files
"""


def needs(rpms: list[Path], work: Path) -> list[str]:
    """What the packages need of others."""
    said = subprocess.run(
        ["rpm", "-qp", "--nosignature", "--dbpath", work / "db", "--requires", *rpms],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    theirs = {line.split()[0] for line in said.splitlines() if not line.startswith(("rpmlib(", "joyride", "config("))}
    versions = {"glibc": " = 2.36", "python3": " = 3.11"}
    return [f"Provides: {name}{versions.get(name, '')}" for name in sorted(theirs) if not name.startswith("/")]


def base_package(rpms: list[Path], work: Path) -> Path:
    """A package that has everything that ours need."""
    spec = work / "base.spec"
    spec.write_text(
        BASE.format(provides="\n".join([*needs(rpms, work), "Provides: /bin/sh", "Provides: /usr/bin/python3"]))
    )
    subprocess.run(
        ["rpmbuild", "-bb", "--define", f"_topdir {work}/top", "--define", f"_dbpath {work}/db", spec],
        check=True,
        capture_output=True,
    )
    return next((work / "top/RPMS").rglob("*.rpm"))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A repository with two releases of the packages and the base."""
    rpms = sorted((OUT / "rpm").glob("*.rpm"))
    assert rpms, f"no packages in {OUT}/rpm: `nox -s rpm` makes them"
    newer = rpm.build(Stage(OUT / "stage"), OUT / "rpm-next", release="2")
    with tempfile.TemporaryDirectory(prefix="joyride-dnf") as work, repo.Signer() as signer:
        place = Path(work)
        place.chmod(0o755)
        yield repo.make_dnf(place / "dnf", [*rpms, *newer, base_package(rpms, place)], signer)


@pytest.fixture
def machine(fresh: Path, folder: Path) -> Iterator[Chroot]:
    with tempfile.TemporaryDirectory(prefix="joyride-chroot") as work:
        made = Chroot(fresh, Path(work) / "one", folder)
        place = made.seen / "etc/yum.repos.d"
        place.mkdir()
        (place / "joyride.repo").write_text(repo.dnf_for(str(folder)))
        assert dnf(made, "install", "base").code == 0
        yield made
        made.close()


def dnf(machine: Chroot, *words: str) -> Result:
    """The host's dnf, in the machine's mount namespace, on the machine's folder."""
    root = str(machine.root)
    options = [f"--installroot={root}", "--releasever=1", "-y", "-q", f"--setopt=reposdir={root}/etc/yum.repos.d"]
    return machine.try_run("dnf", *options, *words, outside=True)


def install(machine: Chroot, *names: str) -> None:
    result = dnf(machine, "install", *names)
    assert result.code == 0, str(result)


OURS = ["joyride", "joyride-devel", "joyride-libc-system"]
NOT_RPM = ("usr/lib/sysimage", "var/lib/dnf", "var/lib/rpm", "etc/dnf", "root/.rpmdb", "usr/lib/rpm")


def files(machine: Chroot) -> dict[str, str]:
    return {path: what for path, what in machine.files().items() if not path.startswith(NOT_RPM)}


def test_everything_comes_and_goes(machine: Chroot) -> None:
    before = files(machine)
    install(machine, *OURS)
    machine.run("/opt/joyride/ld.so", "/bin/true")
    machine.run("/opt/stock/ld.so", "/bin/true")
    assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    assert machine.run("joyride", "--version") == "joyride 0.1.0\n"
    assert machine.run("joyride-netsvc", "--version") == "joyride-netsvc 0.1.0\n"
    removed = dnf(machine, "remove", "joyride*")
    assert removed.code == 0, str(removed)
    machine.run("/bin/true")
    left = {path: what for path, what in files(machine).items() if before.get(path) != what and what[0] != "d"}
    assert left == {}  # but folders that a distribution's own packages have


def test_upgrade_downgrade_and_again(machine: Chroot) -> None:
    """Scriptlets may run any number of times."""
    install(machine, *(f"{name}-0.1.0-1" for name in OURS))
    for words in (("upgrade",), ("downgrade", "joyride*"), ("reinstall", *OURS), ("reinstall", *OURS)):
        result = dnf(machine, *words)
        assert result.code == 0, str(result)
        machine.run("/opt/stock/ld.so", "/bin/true")
        assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"


def test_configuration_stays(machine: Chroot) -> None:
    install(machine, "joyride-netsvc-0.1.0-1")
    config = machine.seen / "etc/joyride/netsvc.toml"
    config.write_text(config.read_text() + "# mine\n")
    assert dnf(machine, "upgrade").code == 0
    assert "# mine" in config.read_text()


def test_a_changed_package_is_refused(machine: Chroot, folder: Path) -> None:
    machine.sh("cp -a /repo /changed && for f in /changed/joyride-devel-*; do echo >>$f; done")
    (machine.seen / "etc/yum.repos.d/joyride.repo").write_text(repo.dnf_for(f"{machine.root}/changed"))
    assert folder.is_dir()
    refused = dnf(machine, "--refresh", "install", "joyride-devel")
    assert refused.code != 0


def test_nothing_of_the_private_libc_is_offered(folder: Path) -> None:
    """A package that needs libc.so.6 must not be given ours."""
    found = sorted(folder.glob("joyride-libc-*.rpm"))
    said = subprocess.run(
        ["rpm", "-qp", "--nosignature", "--dbpath", folder.parent / "db", "--provides", *found],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split(" ")[0].split("(")[0] for line in said.splitlines()} == {"joyride-libc", "joyride-libc-system"}
