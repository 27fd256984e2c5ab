# SPDX-License-Identifier: BSD-3-Clause
"""python3 -m ci.packages {stage,deb,...}: packages, repositories and images, all below build/packages."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ci.packages.run import PackagingError, fail
from ci.packages.version import REPO, project_version

OUT = REPO / "build/packages"


def _man(args: argparse.Namespace) -> None:
    from ci.packages import man

    man.write_all(args.out, args.version)


def _completions(args: argparse.Namespace) -> None:
    from ci.packages import complete

    complete.write_all(args.out)


def _stage(args: argparse.Namespace) -> None:
    from ci.packages import stage

    stage.make(args.out, args.jobs, args.libc_build)


def _deb(args: argparse.Namespace) -> None:
    from ci.packages import deb
    from ci.packages.stage import Stage

    deb.build(Stage(args.stage.resolve()), args.out, revision=args.revision)
    if args.lint:
        deb.lint(args.out.resolve())


def _rpm(args: argparse.Namespace) -> None:
    from ci.packages import rpm
    from ci.packages.stage import Stage

    rpm.build(Stage(args.stage.resolve()), args.out, release=args.release)
    if args.lint:
        rpm.lint(args.out)


def _image(args: argparse.Namespace) -> None:
    from ci.packages import image

    image.build(args.debs, args.out, save=args.save)


def _repo(args: argparse.Namespace) -> None:
    from ci.packages import repo

    with repo.Signer() as signer:
        repo.make_apt(args.out / "apt", sorted(args.debs.glob("*.deb")), signer, args.url)
        repo.make_dnf(args.out / "dnf", sorted(args.rpms.glob("*.rpm")), signer, args.url)


def _substvars(args: argparse.Namespace) -> None:
    from ci.packages import deb
    from ci.packages.stage import Stage

    deb.write_substvars(Stage(args.stage.resolve()), args.debian)


def _sbom(args: argparse.Namespace) -> None:
    from ci.packages import sbom
    from ci.packages.stage import Stage

    sbom.write(Stage(args.stage.resolve()), args.package, args.out)


def _parser() -> argparse.ArgumentParser:
    from ci.packages.stage import default_jobs

    parser = argparse.ArgumentParser(prog="python3 -m ci.packages", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    step = commands.add_parser("man", help="write the manual pages")
    step.add_argument("--out", type=Path, required=True, metavar="DIR")
    step.add_argument("--version", default=project_version())
    step.set_defaults(call=_man)

    step = commands.add_parser("completions", help="write the shells' completions of `joyride`")
    step.add_argument("--out", type=Path, required=True, metavar="DIR")
    step.set_defaults(call=_completions)

    step = commands.add_parser("stage", help="build everything and install it into one folder")
    step.add_argument("--out", type=Path, default=OUT / "stage", metavar="DIR", help="default: build/packages/stage")
    step.add_argument("--libc-build", type=Path, metavar="DIR", help="build folder of the libc (default: in --out)")
    step.add_argument("-j", "--jobs", type=int, default=default_jobs(), metavar="N")
    step.set_defaults(call=_stage)

    step = commands.add_parser("deb", help="make the Debian packages from the stage")
    step.add_argument("--stage", type=Path, default=OUT / "stage", metavar="DIR")
    step.add_argument("--out", type=Path, default=OUT / "deb", metavar="DIR")
    step.add_argument("--revision", default="1", help="Debian's revision (default: 1)")
    step.add_argument("--lint", action="store_true", help="run lintian over them: any complaint is an error")
    step.set_defaults(call=_deb)

    step = commands.add_parser("rpm", help="make the RPM packages from the stage")
    step.add_argument("--stage", type=Path, default=OUT / "stage", metavar="DIR")
    step.add_argument("--out", type=Path, default=OUT / "rpm", metavar="DIR")
    step.add_argument("--release", default="1", help="RPM's release (default: 1)")
    step.add_argument("--lint", action="store_true", help="run rpmlint over them: any complaint is an error")
    step.set_defaults(call=_rpm)

    step = commands.add_parser("repo", help="make signed repositories of the packages")
    step.add_argument("--debs", type=Path, default=OUT / "deb", metavar="DIR")
    step.add_argument("--rpms", type=Path, default=OUT / "rpm", metavar="DIR")
    step.add_argument("--out", type=Path, default=OUT / "repo", metavar="DIR")
    url = os.environ.get("JOYRIDE_REPO_URL", "")
    step.add_argument("--url", default=url, help="where it is served (default: $JOYRIDE_REPO_URL, else its folder)")
    step.set_defaults(call=_repo)

    step = commands.add_parser("image", help="build the container images from the Debian packages")
    step.add_argument("--debs", type=Path, default=OUT / "deb", metavar="DIR")
    step.add_argument("--out", type=Path, default=OUT / "images", metavar="DIR", help="where --save puts them")
    step.add_argument("--save", action="store_true", help="write them to files for `docker load`, too")
    step.set_defaults(call=_image)

    step = commands.add_parser("substvars", help="write what debian/control refers to (debian/rules calls this)")
    step.add_argument("--stage", type=Path, required=True, metavar="DIR")
    step.add_argument("--debian", type=Path, required=True, metavar="DIR")
    step.set_defaults(call=_substvars)

    step = commands.add_parser("sbom", help="write the bill of materials of one package")
    step.add_argument("--stage", type=Path, default=OUT / "stage", metavar="DIR")
    step.add_argument("--package", required=True)
    step.add_argument("--out", type=Path, required=True, metavar="FILE")
    step.set_defaults(call=_sbom)
    return parser


def main() -> int:
    """Run one command."""
    args = _parser().parse_args()
    try:
        args.call(args)
    except PackagingError as err:
        return fail(str(err))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
