# SPDX-License-Identifier: BSD-3-Clause
"""Signed repositories in folders, for apt and dnf: served as files, or by any web server."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ci.packages.deb import TOOLS
from ci.packages.run import PackagingError, need, run, say
from ci.packages.version import MAINTAINER

SUITE = "bookworm"
KEYRING = "joyride-archive-keyring.gpg"
SOURCES = """\
Types: deb
URIs: {uri}
Suites: {suite}
Components: main
Architectures: amd64
Signed-By:{keyring}
"""
DNF_KEY = "joyride-archive-key.asc"
DNF = """\
[joyride]
name=Joyride
baseurl={uri}
gpgkey={uri}/{key}
gpgcheck=1
repo_gpgcheck=1
"""


class Signer:
    """A key to sign with: that of `keyring_home` ($JOYRIDE_GNUPGHOME), else one that lives as long as this object."""

    def __init__(self, keyring_home: Path | None = None) -> None:
        need("gpg", packages="gnupg")
        told = os.environ.get("JOYRIDE_GNUPGHOME")
        given = keyring_home or (Path(told) if told else None)
        self._temporary = None if given else tempfile.TemporaryDirectory(prefix="joyride-key")
        self.home = given or Path(self._temporary.name if self._temporary else "")
        if not given:
            self.home.chmod(0o700)
            self._gpg("--passphrase", "", "--quick-generate-key", MAINTAINER, "ed25519", "sign", "never")
            say("repositories are signed with a key made for them; JOYRIDE_GNUPGHOME names the folder of another")
        rows = self._gpg("--list-secret-keys", "--with-colons").splitlines()
        found = [row.split(":")[9] for row in rows if row.startswith("fpr:")]
        if not found:
            raise PackagingError(f"no secret key in {self.home}")
        self.fingerprint = found[0]

    def __enter__(self) -> Signer:
        return self

    def __exit__(self, *_: object) -> None:
        run(["gpgconf", "--homedir", self.home, "--kill", "gpg-agent"])
        if self._temporary:
            self._temporary.cleanup()

    def _gpg(self, *words: str | Path) -> str:
        return run(["gpg", "--homedir", self.home, "--batch", "--quiet", "--pinentry-mode", "loopback", *words])

    def export(self, to: Path, *, armor: bool = False) -> None:
        """Write the public key."""
        to.unlink(missing_ok=True)
        self._gpg(*(["--armor"] if armor else []), "--output", to, "--export", self.fingerprint)

    def armored(self) -> str:
        """The public key as text."""
        return self._gpg("--armor", "--export", self.fingerprint)

    def sign(self, what: Path, to: Path, *how: str) -> None:
        """Sign a file; `how` is --clearsign or --detach-sign with --armor."""
        to.unlink(missing_ok=True)
        self._gpg("--local-user", self.fingerprint, *how, "--output", to, what)


def make_apt(folder: Path, debs: list[Path], signer: Signer, url: str = "") -> Path:
    """An apt repository with `debs` in `folder`, made anew; joyride.sources in it, with the key, is for sources.list.d.

    It is found at `url`/apt there, or as a file.
    """
    need("apt-ftparchive", packages="apt-utils")
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    pool, binary = folder / "pool/main", folder / f"dists/{SUITE}/main/binary-amd64"
    for place in (pool, binary):
        place.mkdir(parents=True)
    for deb in debs:
        shutil.copy2(deb, pool / deb.name)
    index = run(["apt-ftparchive", "packages", "pool/main"], cwd=folder, env=TOOLS)
    (binary / "Packages").write_text(index)
    run(["gzip", "-9nk", binary / "Packages"])
    names = {"Origin": "Joyride", "Label": "Joyride", "Suite": SUITE, "Codename": SUITE, "Architectures": "amd64"}
    options = [f"APT::FTPArchive::Release::{key}={value}" for key, value in {**names, "Components": "main"}.items()]
    argv = ["apt-ftparchive", *(word for option in options for word in ("-o", option)), "release", f"dists/{SUITE}"]
    release = folder / f"dists/{SUITE}/Release"
    text = run([*argv], cwd=folder, env=TOOLS)
    release.write_text(text)
    signer.sign(release, release.with_name("InRelease"), "--clearsign")
    signer.sign(release, release.with_name("Release.gpg"), "--detach-sign", "--armor")
    signer.export(folder / KEYRING)
    key = "".join(f"\n {line or '.'}" for line in signer.armored().splitlines())
    uri = f"{url}/apt" if url else f"file://{folder}"
    (folder / "joyride.sources").write_text(SOURCES.format(uri=uri, suite=SUITE, keyring=key))
    say(f"apt repository with {len(debs)} packages: {folder}")
    return folder


def sources_for(place: str) -> str:
    """What sources.list.d says where the repository is at the path `place`."""
    return SOURCES.format(uri=f"file://{place}", suite=SUITE, keyring=f" {place}/{KEYRING}")


def make_dnf(folder: Path, rpms: list[Path], signer: Signer, url: str = "") -> Path:
    """A dnf repository with `rpms`, each signed, in `folder`, made anew; joyride.repo in it is for yum.repos.d.

    It is found at `url`/dnf there, or as a file.
    """
    need("createrepo_c", "rpmsign", packages="createrepo-c rpm")
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copies = [Path(shutil.copy2(path, folder / path.name)) for path in rpms]
    key = [
        "--define",
        f"_gpg_name {signer.fingerprint}",
        "--define",
        f"_gpg_path {signer.home}",
        "--define",
        "__gpg /usr/bin/gpg",
    ]
    run(["rpmsign", *key, "--addsign", *copies], env={**TOOLS, "GNUPGHOME": str(signer.home)})
    run(["createrepo_c", "--quiet", folder], env=TOOLS)
    index = folder / "repodata/repomd.xml"
    signer.sign(index, index.with_name("repomd.xml.asc"), "--detach-sign", "--armor")
    signer.export(folder / DNF_KEY, armor=True)
    uri = f"{url}/dnf" if url else f"file://{folder}"
    (folder / "joyride.repo").write_text(DNF.format(uri=uri, key=DNF_KEY))
    say(f"dnf repository with {len(rpms)} packages: {folder}")
    return folder


def dnf_for(place: str) -> str:
    """What yum.repos.d says where the repository is at the path `place`."""
    return DNF.format(uri=f"file://{place}", key=DNF_KEY)
