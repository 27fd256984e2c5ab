# SPDX-License-Identifier: BSD-3-Clause
"""The front door: `nox -l` lists what can be done, `nox -s NAME` does it.

Every session installs what it lacks by itself: Debian or Fedora packages through `conan install .` (conanfile.py),
Python tools from PyPI into build/venv, shared by all sessions. Everything made lands in build/.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

REPO = Path(__file__).resolve().parent
sys.path.insert(0, str(REPO))
from ci.tree import tracked  # noqa: E402 - found by the line above

BUILD = REPO / "build"
VENV = BUILD / "venv"
BIN = VENV / "bin"
MESON = BUILD / "meson"
LIBC = BUILD / "opt-joyride"
BUILT = {"JOYRIDE_LIBC": str(LIBC), "JOYRIDE_SERVICE": str(MESON / "netsvc/main/joyride-netsvc")}
NATIVE = BUILD / "conan/gen/conan_meson_native.ini"
JOBS = os.environ.get("JOYRIDE_JOBS", str(os.cpu_count() or 2))
PYTHON_CODE = ["noxfile.py", "conanfile.py", "ci", "codegen", "tests", "tools"]

nox.options.sessions = ["tests"]
nox.options.stop_on_first_error = True


def session(function):
    """A session without a virtualenv of nox's own: all share build/venv. Its name has hyphens."""
    return nox.session(python=False, name=function.__name__.replace("_", "-"))(function)


def run(s, *argv, **kwargs):
    """Run a tool of build/venv, or a system program, with build/venv first on the path."""
    env = {
        "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin",
        "PYTHONPATH": "",
        "CONAN_HOME": str(BUILD / "conan/home"),
        "DEBIAN_FRONTEND": "noninteractive",
        "JOYRIDE_BUILD": str(BUILD),
        "PYTHONDONTWRITEBYTECODE": "1",
        **kwargs.pop("env", {}),
    }
    return s.run(*map(str, argv), env=env, external=True, **kwargs)


def python_tools(s, extra=""):
    """Make build/venv, and bring it to what ci/requirements*.txt say when they changed."""
    names = ["requirements.txt"] + ([f"requirements-{extra}.txt"] if extra else [])
    for name in names:
        wanted = (REPO / "ci" / name).read_text()
        stamp = VENV / f"installed-{name}"
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        if not (BIN / "python").exists():
            s.log("making build/venv")
            run(s, sys.executable, "-m", "virtualenv", "--quiet", VENV)
        s.log(f"installing Python tools from PyPI: ci/{name}")
        editable = ["-e", REPO / "tools"] if (REPO / "tools/pyproject.toml").exists() else []
        run(s, BIN / "python", "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off",
            "--quiet", "-r", REPO / "ci" / name, *editable)  # fmt: skip
        stamp.write_text(wanted)


def system_packages(s, tests=True, lint=False, apps=False, packages=False):
    """Have conan install the missing packages (as root) or name them (else), and write meson's native file."""
    mode = "install" if os.geteuid() == 0 else "check"
    gen = ["--output-folder", NATIVE.parent, "--profile:all", REPO / "ci/conan/profile"]
    options = ["-o", f"&:tests={tests}", "-o", f"&:lint={lint}", "-o", f"&:apps={apps}"]
    options += ["-o", f"&:packages={packages}"]
    conf = ["-c", f"tools.system.package_manager:mode={mode}"]
    codes = [0] if mode == "install" else [0, 1, 2, 6]
    log = BUILD / "conan/install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    s.log("system packages: conan install .")
    if mode == "install":
        run(s, BIN / "conan", "install", REPO, *gen, *options, *conf, success_codes=codes)
        return
    with log.open("w") as out:
        command = [BIN / "conan", "install", REPO, *gen, *options, *conf]
        env = {**os.environ, "CONAN_HOME": str(BUILD / "conan/home")}
        code = subprocess.run(list(map(str, command)), stdout=out, stderr=out, env=env, check=False).returncode
    if code != 0:
        said = "\n".join(
            line for line in log.read_text().splitlines() if "requirement" in line.lower() or "ERROR" in line
        )
        s.error(f"packages are missing and only root can install them; run this once as root (sudo).\n{said}")


def setup(s, tests=True, lint=False, apps=False):
    """Python tools, then system packages."""
    python_tools(s)
    system_packages(s, tests, lint, apps)


def need_root(s, why):
    """Stop with a sentence that says what to do, before anything long is begun."""
    if os.geteuid() != 0:
        s.error(f"{why} needs root: run this as root, e.g. `sudo {' '.join(['nox', *sys.argv[1:]])}`")


def meson_build(s, folder=MESON, options=(), targets=()):
    """Configure once (again when an option changed), then compile."""
    wanted = ["--native-file", NATIVE, *options]
    stamp = folder / "joyride-options"
    text = "\n".join(map(str, wanted)) + "\n" + NATIVE.read_text()
    if not (folder / "build.ninja").exists():
        run(s, BIN / "meson", "setup", folder, REPO, *wanted)
    elif not stamp.exists() or stamp.read_text() != text:
        run(s, BIN / "meson", "setup", "--wipe", folder, REPO, *wanted)
    stamp.write_text(text)
    run(s, BIN / "meson", "compile", "-C", folder, "-j", JOBS, *targets)


def libc_build(s):
    """Build the patched libc and put it into build/opt-joyride; seconds when nothing changed."""
    run(s, BIN / "python", "-m", "ci.libc", "install", "--prefix", LIBC, "-j", JOBS, env={"PYTHONPATH": str(REPO)})


def everything(s, tests=True, apps=False):
    """Set up, then build service and libc."""
    setup(s, tests, apps=apps)
    meson_build(s)
    libc_build(s)


def run_netns(s, *command, **kwargs):
    """Run what makes network namespaces, also in a plain chroot; after Ctrl-C it has the time to remove them."""
    patience = {"interrupt_timeout": 60.0, "terminate_timeout": 30.0}
    run(s, "sh", REPO / "ci/as-root-mount.sh", *command, **patience, **kwargs)


def pytest(s, *args, **kwargs):
    """Run pytest from build/venv with the service and libc that were built."""
    run_netns(s, BIN / "python", "-m", "pytest", "-p", "no:cacheprovider", *args, env=BUILT, **kwargs)


def layer(s, number, title):
    """Say which layer of the tests begins."""
    s.log(f"---- layer {number}: {title} ----")


@session
def setup_machine(s):
    """Install the packages and Python tools that building and testing need, and nothing else."""
    need_root(s, "installing packages")
    setup(s, lint=True)


@session
def codegen(s):
    """Check the specs and generate everything from them into build/codegen."""
    python_tools(s)
    env = {"PYTHONPATH": str(REPO / "codegen")}
    (BUILD / "codegen").mkdir(parents=True, exist_ok=True)
    run(s, BIN / "python", "-m", "jrgen", "all", "--spec", REPO / "codegen/spec", "--out", BUILD / "codegen", env=env)


@session
def build_libc(s):
    """Build the patched libc and install it into build/opt-joyride (arguments go to `ci.libc install`)."""
    setup(s, tests=False)
    run(s, BIN / "python", "-m", "ci.libc", "install", "--prefix", LIBC, "-j", JOBS, *s.posargs,
        env={"PYTHONPATH": str(REPO)})  # fmt: skip


@session
def build_netsvc(s):
    """Build the service, its library and their unit tests in build/meson."""
    setup(s, tests=False)
    meson_build(s)


@session
def tests(s):
    """Run every test in layers, the quick ones first; arguments select netns tests as pytest does."""
    need_root(s, "the tests make network namespaces: it")
    setup(s)
    layer(s, 1, "generator and specs")
    pytest(s, "-q", "tests/codegen")
    layer(s, 2, "unit tests of service and client")
    meson_build(s)
    run(s, BIN / "meson", "test", "-C", MESON, "--print-errorlogs", "--suite", "unit")
    layer(s, 3, "packet scripts, documents, tree")
    checks(s)
    pytest(s, "-q", *existing("tests/docs", "tests/tools", "tests/packet", "tests/models"))
    run(s, BIN / "meson", "test", "-C", MESON, "--print-errorlogs", "--no-suite", "unit")
    layer(s, 4, "patched libc and its ABI")
    libc_build(s)
    pytest(s, "-q", *existing("tests/abi"))
    layer(s, 5, "real programs in network namespaces")
    pytest(s, "-v", "tests/netns", *s.posargs)


def existing(*folders):
    """Those of the test folders that hold tests."""
    return [folder for folder in folders if any((REPO / folder).glob("test_*.py"))] or ["tests/docs"]


@session
def netns(s):
    """Build, then run only the tests with real programs (arguments go to pytest)."""
    need_root(s, "making network namespaces")
    everything(s)
    pytest(s, "-v", *(s.posargs or ["tests/netns"]))


@session
def model(s):
    """Search the models of sleeping and waking (tests/models) with spin, in full; arguments go to pytest."""
    setup(s)
    run(s, BIN / "python", "-m", "pytest", "-p", "no:cacheprovider", "-v", "tests/models", *s.posargs,
        env={"JOYRIDE_MODELS": "full"})  # fmt: skip


@session
def demo(s):
    """Build all, run curl, nginx, redis and Python on Joyride and on the kernel, and print a table."""
    need_root(s, "the demo makes network namespaces: it")
    everything(s)
    run_netns(s, BIN / "python", "-m", "bench.demo", *s.posargs, env={**BUILT, "PYTHONPATH": str(REPO / "tests")})


@session
def bench(s):
    """Measure Joyride and the kernel in turn; tables, JSON and plots go to build/bench."""
    need_root(s, "the benchmarks make network namespaces: it")
    python_tools(s, "bench")
    everything(s)
    run_netns(s, BIN / "python", "-m", "bench", *s.posargs, env={**BUILT, "PYTHONPATH": str(REPO / "tests")})


@session
def soak(s):
    """Transfer over a bad network (loss, reordering, delay, ...), compare every byte, and rates with the kernel's."""
    need_root(s, "the soak makes network namespaces: it")
    everything(s)
    run_netns(s, BIN / "python", "-m", "soak", *s.posargs, env={**BUILT, "PYTHONPATH": str(REPO / "tests")})


@session
def apps(s):
    """Run programs of the distribution on the stock and on the patched libc, and print what differs (`-- --list`)."""
    need_root(s, "the programs run in network namespaces: it")
    env = {**BUILT, "PYTHONPATH": f"{REPO / 'tests'}:{REPO / 'tests/netns'}"}
    if "--list" in s.posargs:
        python_tools(s)
    else:
        everything(s, apps=True)
    run_netns(s, BIN / "python", "-m", "apps", *s.posargs, env=env)


@session
def suites(s):
    """Run test suites of well-known programs on both libcs, and compare the result of each test (`-- --list`)."""
    need_root(s, "the suites run in network namespaces: it")
    env = {**BUILT, "PYTHONPATH": f"{REPO / 'tests'}:{REPO / 'tests/netns'}"}
    if {"--list", "--remove"} & set(s.posargs):
        python_tools(s)
    else:
        everything(s)
    run_netns(s, BIN / "python", "-m", "suites", *s.posargs, env=env)


@session
def sim(s):
    """Simulate congestion control in virtual time (arguments: scenarios); table and plots go to build/sim."""
    python_tools(s, "bench")
    system_packages(s, tests=False)
    meson_build(s, targets=["tests/sim/jr_sim"])
    run(s, BIN / "python", "-m", "sim", MESON / "tests/sim/jr_sim", BUILD / "sim", *s.posargs,
        env={"PYTHONPATH": str(REPO / "tests")})  # fmt: skip


def checks(s):
    """The checks of the tree: layers, sizes, documents, words."""
    for script in ("check_layers", "check_sizes", "check_docs", "check_words", "rfc_coverage"):
        run(s, BIN / "python", "-m", f"ci.{script}", env={"PYTHONPATH": str(REPO)})


def c_files():
    """Every C file that clang-format is for."""
    others = ("glibc-patches/", "tests/codegen/golden/")  # glibc's style, and what the generator makes
    return [str(f) for f in tracked("*.c", "*.h") if not str(f).startswith(others)]


@session
def lint(s):
    """Check style and types: ruff, mypy --strict, clang-format, clang-tidy, layers, sizes, documents, words."""
    setup(s, tests=False, lint=True)
    run(s, BIN / "ruff", "check", *PYTHON_CODE)
    run(s, BIN / "ruff", "format", "--check", *PYTHON_CODE)
    run(
        s,
        BIN / "mypy",
        "--cache-dir",
        BUILD / "mypy",
        "codegen/jrgen",
        "tools/joyride",
        "ci",
        "tests/harness",
        "tests/bench",
        "tests/sim",
        "tests/soak",
    )
    for folder in sorted({p.parent.relative_to(REPO) for p in (REPO / "tests").glob("*/test_*.py")}):
        run(
            s, BIN / "mypy", "--cache-dir", BUILD / "mypy", folder, env={"MYPYPATH": str(folder)}
        )  # one at a time: each may have a conftest
    run(s, "clang-format", "--dry-run", "-Werror", *c_files())
    checks(s)
    meson_build(s)
    sources = [f for f in c_files() if f.startswith("netsvc/") and f.endswith(".c") and not f.endswith("_test.c")]
    run(s, "run-clang-tidy", "-quiet", "-j", JOBS, "-p", MESON, *sources)


@session
def format(s):  # noqa: A001 (the session's name)
    """Rewrite Python and C in the project's format."""
    setup(s, tests=False, lint=True)
    run(s, BIN / "ruff", "check", "--fix", "--exit-zero", *PYTHON_CODE)
    run(s, BIN / "ruff", "format", *PYTHON_CODE)
    run(s, "clang-format", "-i", *c_files())


@session
def sanitize(s):
    """Run the unit tests, the packet scripts and the fuzz corpora under ASan and UBSan."""
    setup(s, tests=False)
    folder = BUILD / "sanitize"
    meson_build(s, folder, ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dservice=disabled"])
    env = {
        "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    run(s, BIN / "meson", "test", "-C", folder, "--print-errorlogs", "--timeout-multiplier", "4", env=env)


@session
def fuzz(s):
    """Fuzz each libFuzzer target for a while (seconds as argument, 60 by default)."""
    setup(s, tests=False)
    seconds = s.posargs[0] if s.posargs else "60"
    folder = BUILD / "fuzz"
    native = BUILD / "conan/clang.ini"
    native.write_text(f"[binaries]\nc = '{shutil.which('clang') or 'clang'}'\n")
    meson_build(s, folder, ["--native-file", native, "-Dfuzz=true", "-Dservice=disabled", "-Db_lundef=false"])
    targets = sorted(p for p in folder.rglob("*_fuzz") if p.is_file() and os.access(p, os.X_OK))
    if not targets:
        s.error("no fuzz target was built: none under tests/fuzz is in the build")
    for target in targets:
        corpus = BUILD / "corpus" / target.name
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = REPO / target.parent.relative_to(folder) / target.name.removesuffix("_fuzz") / "corpus"
        s.log(f"{target.name}: {seconds} s")
        run(s, target, f"-max_total_time={seconds}", "-max_len=4096", "-print_final_stats=1", corpus,
            *([seeds] if seeds.is_dir() else []))  # fmt: skip


def packaging(s, what):
    """What packages are made with, and one staged installation that all are cut from."""
    need_root(s, f"making and trying {what}")
    python_tools(s, "packages")
    system_packages(s, tests=False, packages=True)
    packages(s, "stage", "-j", JOBS)


def packages(s, *words):
    """One step of ci.packages; what it makes is below build/packages."""
    run_netns(s, BIN / "python", "-m", "ci.packages", *words, env={"PYTHONPATH": str(REPO)})


@session
def deb(s):
    """Make the Debian packages, check them with lintian, try them on fresh machines (arguments go to pytest)."""
    packaging(s, "packages")
    packages(s, "deb", "--lint")
    names = ("deb", "system", "boot", "bom", "reproducible", "source")
    pytest(s, "-v", "-s", *(f"tests/packages/test_{name}.py" for name in names), *s.posargs)


@session
def rpm(s):
    """Make the RPM packages, check them with rpmlint, try them by dnf (arguments go to pytest)."""
    packaging(s, "packages")
    packages(s, "rpm", "--lint")
    pytest(s, "-v", "-s", "tests/packages/test_rpm.py", *s.posargs)


@session
def repo(s):
    """Make signed apt and dnf repositories of the packages in build/packages/repo (JOYRIDE_GNUPGHOME: your key)."""
    packaging(s, "repositories")
    packages(s, "deb")
    packages(s, "rpm")
    packages(s, "repo")
    pytest(s, "-v", "-s", "tests/packages/test_repo.py", *s.posargs)


@session
def next_release(s):
    """Build service and libc on a fresh Debian 13, with its glibc 2.41, and run real programs there."""
    need_root(s, "making machines")
    python_tools(s, "packages")
    system_packages(s, tests=False, packages=True)
    pytest(s, "-v", "-s", "tests/packages/test_next_release.py", *s.posargs)


@session
def image(s):
    """Build the container images of service, system and example, and try them (--save: also as files)."""
    packaging(s, "images")
    packages(s, "deb")
    packages(s, "image", *s.posargs)
    pytest(s, "-v", "-s", "tests/packages/test_image.py")
