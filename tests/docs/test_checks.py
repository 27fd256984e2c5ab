# SPDX-License-Identifier: BSD-3-Clause
"""The checks of the tree find what they are for, and the documents say what is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ci import check_docs, check_layers, check_sizes, check_words, rfc_coverage
from ci.tree import tracked

REPO = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("path", "header", "system", "wrong"),
    [
        ("netsvc/tcp/input.c", "ip/ip.h", False, False),
        ("netsvc/tcp/input.c", "tcp/seq.h", False, False),
        ("netsvc/tcp/input.c", "sock/sock.h", False, True),
        ("netsvc/tcp/input.c", "rte_mbuf.h", True, True),
        ("netsvc/dev/port.c", "rte_mbuf.h", True, False),
        ("netsvc/tcp/input.c", "jr_abi.h", False, True),
        ("netsvc/link/arp.c", "dev/dev.h", False, False),
        ("netsvc/link/arp.c", "dev/ethdev.h", False, True),
        ("netsvc/base/log.c", "ip/ip.h", False, True),
        ("netsvc/base/log.c", "stdio.h", True, False),
    ],
)
def test_layers(path: str, header: str, system: bool, wrong: bool) -> None:
    assert (check_layers.complaint(Path(path), header, system) is not None) == wrong


def test_sizes_measure_c_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_sizes, "REPO", tmp_path)
    f = "static int f(int a,\n             int b)\n{\n    return a;\n}\n"
    (tmp_path / "x.c").write_text("struct a {\n    int b;\n};\n\n" + f + "\nint g(void);\nvoid\nh (void)\n{\n}\n")
    assert [(f.name, f.lines) for f in check_sizes.c_functions(Path("x.c"))] == [("f", 5), ("h", 3)]


def test_documents_are_checked_for_links_paths_and_functions() -> None:
    bad = "[x](no-such-file.md) and [y](README.md#no-such-heading) and `netsvc/no/such.c`"
    assert len(check_docs.check_links(Path("ARCHITECTURE.md"), bad)) == 2
    assert len(check_docs.check_paths(Path("ARCHITECTURE.md"), bad)) == 1
    table = "| File | Function | What |\n|---|---|---|\n| `ci/check_docs.py` | `anchor()`, `no_such()` | x |\n"
    assert check_docs.check_tables(Path("x.md"), table) == ["x.md: ci/check_docs.py has no function no_such"]


def test_words_are_found() -> None:
    rules = [re.compile(pattern, re.MULTILINE) for pattern in check_words.FORBIDDEN]
    for line in ("see /home/" + "someone/file", "// TO" + "DO later", "<<<<<<< " + "HEAD", "ends in space "):
        assert any(rule.search(line) for rule in rules), line
    assert not any(rule.search("a plain line /tmp/file") for rule in rules)


def test_every_nox_session_has_a_one_line_description() -> None:
    source = (REPO / "noxfile.py").read_text()
    docs = re.findall(r"@session\ndef (\w+)\(s\):[^\n]*\n    (.*)\n", source)
    assert len(docs) == source.count("@session\n")
    assert all(re.fullmatch(r'"""[A-Z].*\."""', doc) for _, doc in docs), docs


def test_the_readme_names_only_sessions_that_exist() -> None:
    names = {n.replace("_", "-") for n in re.findall(r"@session\ndef (\w+)", (REPO / "noxfile.py").read_text())}
    named = set(re.findall(r"nox -s ([\w-]+)", (REPO / "README.md").read_text()))
    assert named <= names
    assert {"demo", "tests"} <= named


def test_every_source_file_names_its_licence() -> None:
    listed = tracked("*.c", "*.h", "*.py", "*.build", ".ci/run")
    assert listed
    assert not [f for f in listed if "SPDX-License-Identifier" not in (REPO / f).read_text()[:600]]


@pytest.mark.parametrize("command", [[], ["run"], ["ss"], ["stat"], ["doctor"]])
def test_the_command_explains_itself(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "joyride", *command, "--help"],
        cwd=REPO / "tools",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "usage: joyride" in done.stdout


def test_the_command_says_what_to_do_without_a_service(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "joyride", "--run-dir", str(tmp_path), "ss"]
    done = subprocess.run(argv, cwd=REPO / "tools", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is joyride-netsvc running?" in done.stderr


def test_packet_scripts_say_what_they_are_about_and_no_wanted_section_is_without() -> None:
    text, wrong = rfc_coverage.check()
    assert wrong == []
    assert text.startswith("# What the packet scripts cover")


def test_headers_of_packet_scripts_are_checked(tmp_path: Path) -> None:
    script = tmp_path / "folder/name.pkt"
    script.parent.mkdir()
    script.write_text("// title: x\n// rfc: 9293 3.5; frob\n// kernel: perhaps\n")
    found, wrong = rfc_coverage.read(script)
    assert found.rfcs == (("9293", "3.5"),)
    assert len(wrong) == 2
    assert len(rfc_coverage.page([found])[1]) > 50


def test_tests_in_c_may_name_their_sections(tmp_path: Path) -> None:
    file = tmp_path / "arp_test.c"
    file.write_text(
        "/* rfc: 826; tcp(4) blackhole */\nJR_TEST(it_asks)\n{\n}\n"
        "/* rfc: frob */\nJR_TEST(b)\n/* rfc: 826 */\nint x;\n"
    )
    found, wrong = rfc_coverage.read_tests(file)
    assert found[0].rfcs == (("826", ""), ("tcp(4)", "blackhole"))
    assert found[0].title == "it asks"
    assert len(wrong) == 2
