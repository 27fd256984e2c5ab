# SPDX-License-Identifier: BSD-3-Clause
"""The RPM packages, installed by dnf from a signed repository.

The machine is the Debian of the other tests: a package made here says that it has what a distribution with rpm has. dnf
is the host's, which installs into the machine's folder.
"""

from __future__ import annotations

import shutil
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


def by_hand(machine: Chroot, *words: object) -> Result:
    """rpm itself, in the machine's mount namespace, on the machine's folder."""
    return machine.try_run("rpm", f"--root={machine.root}", "--nosignature", "--force-debian", *words, outside=True)


def test_by_rpm_alone(machine: Chroot, folder: Path) -> None:
    """Installed, a second time, out of order, upgraded, downgraded and erased without dnf."""
    old = {path.name.rsplit("-0.1.0-1.", 1)[0]: path for path in folder.glob("joyride*-0.1.0-1.x86_64.rpm")}
    new = {path.name.rsplit("-0.1.0-2.", 1)[0]: path for path in folder.glob("joyride*-0.1.0-2.x86_64.rpm")}
    assert old.keys() == new.keys()
    before = files(machine)
    early = by_hand(machine, "-i", old["joyride-libc-system"])
    assert early.code != 0
    assert "joyride-libc = 0.1.0-1 is needed by joyride-libc-system-0.1.0-1" in early.output
    machine.run("/bin/true")
    names = ["joyride-libc", "joyride-libc-system", "joyride-netsvc"]
    assert by_hand(machine, "-i", *(old[name] for name in names)).code == 0
    again = by_hand(machine, "-i", old["joyride-libc"])
    assert "is already installed" in again.output
    for words in (["-U"], ["-U", "--replacepkgs"], ["-U", "--oldpackage"]):
        which = old if "--oldpackage" in words else new
        done = by_hand(machine, *words, *(which[name] for name in names))
        assert (done.code, done.output) == (0, ""), str(done)
        machine.run("/opt/joyride/ld.so", "/bin/true")
        machine.run("/opt/stock/ld.so", "/bin/true")
        assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    done = by_hand(machine, "-e", *names)
    assert (done.code, done.output) == (0, ""), str(done)
    left = {path: what for path, what in files(machine).items() if before.get(path) != what and what[0] != "d"}
    assert left == {}


def test_another_machine_is_refused(machine: Chroot, folder: Path) -> None:
    found = next(folder.glob("joyride-libc-0.1.0-1.*.rpm"))
    argv = ["setarch", "i686", "rpm", f"--root={machine.root}", "--nosignature", "-i", found]
    refused = machine.try_run(*argv, outside=True)
    assert refused.code != 0
    assert "is intended for a different architecture" in refused.output


SCRIPTLETS = {"post": 2, "preun": 1, "postun": 1, "pre": 2}


def test_scriptlets_are_idempotent(machine: Chroot) -> None:
    """Each run again, twice, as an upgrade runs it: nothing fails, nothing changes, nothing is said."""
    install(machine, *OURS)
    before = files(machine)
    names = ["joyride-libc", "joyride-libc-system", "joyride-netsvc"]
    ran = 0
    for name in names:
        for kind, count in SCRIPTLETS.items():
            tag = {"pre": "PREIN", "post": "POSTIN", "preun": "PREUN", "postun": "POSTUN"}[kind]
            script = by_hand(machine, "-q", "--qf", f"%{{{tag}}}", name).output
            if script.strip() == "(none)":
                continue
            for _ in range(2):
                result = machine.try_run("sh", "-c", script, kind, count)
                assert (result.code, result.output) == (0, ""), str(result)
                ran += 1
    assert ran >= 14
    assert files(machine) == before


GLIBC = """\
Name: glibc
Version: 2.36
Release: 9
Summary: An update of the distribution's libc
License: none
BuildArch: x86_64
AutoReqProv: no
%description
.
%install
mkdir -p %{{buildroot}}{folder}
cp -a {stock}/libc.so.6 {stock}/ld-linux-x86-64.so.2 %{{buildroot}}{folder}/
printf update >>%{{buildroot}}{folder}/libc.so.6
%files
{folder}/*
"""


def test_an_update_of_glibc(machine: Chroot, tmp_path: Path) -> None:
    """The trigger sets the update aside and puts Joyride's libc back."""
    install(machine, *OURS)
    libs = "/usr/lib/x86_64-linux-gnu"
    spec = tmp_path / "glibc.spec"
    spec.write_text(GLIBC.format(folder=libs, stock=machine.seen / "opt/stock/lib"))
    plain = ["--define", "debug_package %{nil}", "--define", "__os_install_post %{nil}"]
    subprocess.run(["rpmbuild", "-bb", "--define", f"_topdir {tmp_path}", "--define", f"_dbpath {tmp_path}/db", *plain,
                    spec], check=True, capture_output=True)  # fmt: skip
    update = next((tmp_path / "RPMS").rglob("*.rpm"))
    for words in (["-i"], ["-U", "--replacepkgs"]):
        done = by_hand(machine, *words, "--replacefiles", update)
        assert done.code == 0, str(done)
        assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
        assert (machine.seen / "opt/stock/lib/libc.so.6").read_bytes().endswith(b"update")
        machine.run("/opt/stock/ld.so", "/bin/true")
    assert dnf(machine, "remove", "joyride*").code == 0
    assert (machine.seen / libs.lstrip("/") / "libc.so.6").read_bytes().endswith(b"update")


# What such a distribution has where: libraries and character sets in /usr/lib64, found by ld.so.cache only.
LAYOUT = """
libs=/usr/lib/x86_64-linux-gnu
cp -a $libs/. /usr/lib64/.new && rm /usr/lib64/.new/ld-linux-x86-64.so.2
cp $libs/ld-linux-x86-64.so.2 /usr/lib64/.loader
mv /usr/lib64/.new/* /usr/lib64/ && rmdir /usr/lib64/.new
mv /usr/lib64/.loader /usr/lib64/ld-linux-x86-64.so.2
rm -f /etc/ld.so.conf.d/* /usr/lib64/gconv/gconv-modules.cache
echo /usr/lib64 >/etc/ld.so.conf.d/lib64.conf
ldconfig
rm -rf $libs
ldconfig
"""


def test_the_layout_of_an_rpm_distribution(machine: Chroot) -> None:
    """No folder has Debian's name: the libc beside the system's, and in its place, finds everything."""
    machine.sh(LAYOUT)
    install(machine, "joyride-libc", "joyride-tools")
    uses_ours(machine, ["/opt/joyride/ld.so"], "/opt/joyride/libc.so.6")
    install(machine, "joyride-libc-system")
    assert machine.run("/usr/libexec/joyride/system-libc", "status") == "joyride\n"
    uses_ours(machine, ["env"], "/usr/lib64/libc.so.6")
    maps = machine.run("/opt/stock/ld.so", "/bin/cat", "/proc/self/maps")  # Debian's, which knows only Debian's folders
    assert "/opt/stock/lib/libc.so.6" in maps
    assert dnf(machine, "remove", "joyride*").code == 0
    machine.run("/usr/bin/python3", "-c", "import ssl")
    assert not (machine.seen / "usr/lib/x86_64-linux-gnu").exists()


def uses_ours(machine: Chroot, start: list[str], libc: str) -> None:
    """A program started by `start` is on `libc` and finds modules, names, locales and character sets."""
    script = (
        "import ssl, ctypes, socket, pwd; socket.getaddrinfo('localhost', 80); print(open('/proc/self/maps').read())"
    )
    assert libc in machine.run(*start, "/usr/bin/python3", "-c", script)
    assert machine.run(*start, "/usr/bin/locale", "charmap") == "UTF-8\n"
    assert machine.run(*start, "/usr/bin/id", "-un") == "root\n"
    latin = f"printf 'gr\\303\\274n' | {' '.join(start)} /usr/bin/iconv -f UTF-8 -t ISO-8859-15 | od -An -tx1"
    assert machine.sh(latin).split() == ["67", "72", "fc", "6e"]


def test_the_same_files_as_in_the_debian_packages(debs: list[Path], folder: Path) -> None:
    """But for the places that rpm distributions have for units, completions, licences and documents."""
    rpms = [path for path in folder.glob("joyride-*-0.1.0-1.*.rpm") if "debug" not in path.name]
    said = subprocess.run(
        ["rpm", "-qp", "--nosignature", "--dbpath", folder.parent / "db", "--qf", "[%{FILEMODES:perms} %{FILENAMES}\n]",
         *rpms], capture_output=True, text=True, check=True).stdout  # fmt: skip
    ours = {_place(line.split(" ", 1)[1]) for line in said.splitlines() if not line.startswith("d")}
    theirs = set()
    for deb in debs:
        if "dbgsym" not in deb.name:
            listing = subprocess.run(["dpkg-deb", "-c", deb], capture_output=True, text=True, check=True).stdout
            rows = (line.split() for line in listing.splitlines() if not line.startswith("d"))
            theirs |= {_place(row[5].removeprefix(".")) for row in rows}
    assert sorted((ours ^ theirs) - {None}, key=str) == []


def _place(path: str) -> str | None:
    """A file by the name that both kinds of packages have for it; None for what only one of them has."""
    if path.startswith(
        (
            "/usr/share/python3/runtime.d/",
            "/usr/share/doc/",
            "/usr/share/licenses/",
            "/usr/share/lintian/",
            "/usr/lib/debug",
        )
    ):
        return None
    path = path.replace("/site-functions/", "/vendor-completions/")
    return path.removeprefix("/usr") if path.startswith("/usr/lib/systemd/system/") else path


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


def test_made_twice(tmp_path: Path) -> None:
    """In another folder, of a copy of the stage, at another time: the same bytes."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(OUT / "stage/root", copy / "root", symlinks=True)
    shutil.copy2(OUT / "stage/stage.json", copy)
    first = sorted((OUT / "rpm").glob("*.rpm"))
    second = rpm.build(Stage(copy), tmp_path / "deep/second")
    assert len(first) > 6
    assert [p.name for p in first] == [p.name for p in second]
    assert [p.name for p, q in zip(first, second, strict=True) if p.read_bytes() != q.read_bytes()] == []


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
