# SPDX-License-Identifier: BSD-3-Clause
"""Manual pages: from Markdown pages of docs/, and of the `joyride` command from its own argument parser.

The Markdown that is understood is what docs/ uses: headings, paragraphs, lists, tables, fenced and indented code,
`code`, **bold**, [links](…). man(7) says what the macros do.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SEE_ALSO = ("joyride(1)", "netsvc.toml(5)", "joyride-netsvc(8)")


def escape(text: str) -> str:
    """Text as roff prints it: nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if ord(c) < 127 else f"\\[u{ord(c):04X}]" for c in text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def inline(text: str) -> str:
    """One run of Markdown text: code and bold text are set bold, links show their text only."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    out = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text):
        if part.startswith("`") and len(part) > 1:
            out.append(f"\\fB{escape(part[1:-1])}\\fP")
        elif part.startswith("**"):
            out.append(f"\\fB{escape(part[2:-2])}\\fP")
        else:
            out.append(escape(part))
    line = "".join(out)
    return "\\&" + line if line.startswith((".", "'")) else line


def _cells(row: str) -> list[str]:
    inside = re.sub(r"\\\|", "\0", row.strip().strip("|"))
    return [cell.strip().replace("\0", "|") for cell in inside.split("|")]


MEANINGS = ("meaning", "what it is", "what happens")


def _table(rows: list[str]) -> Iterator[str]:
    """A table as tagged paragraphs: the first cell is the tag, what others say beside the meaning is in brackets."""
    head = _cells(rows[0])
    at = next((head.index(name) for name in MEANINGS if name in head), len(head) - 1)
    for row in rows[2:]:
        cells = _cells(row)
        yield ".TP"
        yield inline(cells[0])
        said = dict(zip(head, cells, strict=False))
        text = said.pop(head[at])
        others = [f"({name}: {cell})" for name, cell in list(said.items())[1:] if cell]
        yield inline(" ".join([text, *others])) or "-"


def _blocks(text: str) -> Iterator[list[str]]:
    """The text's blocks: lines between blank ones; a fenced one is whole, with its fences."""
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            if not fenced and block:
                yield block
                block = []
            block.append(line)
            if fenced:
                yield block
                block = []
            fenced = not fenced
        elif fenced or line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _code(lines: list[str]) -> Iterator[str]:
    yield from (".PP", ".RS 4", ".nf", "\\fC", *(escape(line) for line in lines), "\\fP", ".fi", ".RE")


def _list(block: list[str]) -> Iterator[str]:
    items: list[str] = []
    for line in block:
        if re.match(r"[-*] |\d+\. ", line):
            items.append(re.sub(r"^([-*]|\d+\.) ", "", line))
        else:
            items[-1] += " " + line.strip()
    for item in items:
        yield from (".IP \\(bu 2", inline(item))


def body(markdown: str) -> Iterator[str]:
    """Everything under the page's title, in roff. The title itself is the caller's."""
    for block in _blocks(markdown):
        first = block[0]
        if first.startswith("# "):
            continue
        if first.startswith("```"):
            yield from _code(block[1:-1])
        elif first.startswith("    "):
            yield from _code([line[4:] for line in block])
        elif heading := re.match(r"(##+) (.*)", first):
            level = ".SH" if len(heading[1]) == 2 else ".SS"
            title = heading[2].upper() if level == ".SH" and not heading[2].startswith("[") else heading[2]
            yield f'{level} "{escape(title.strip("`"))}"'
            if block[1:]:
                yield from body("\n".join(block[1:]))
        elif first.startswith("|"):
            yield from _table(block)
        elif re.match(r"[-*] |\d+\. ", first):
            yield from _list(block)
        else:
            yield from (".PP", inline(" ".join(block)))


def page(name: str, section: int, summary: str, content: list[str], version: str) -> str:
    """A whole manual page."""
    others = ", ".join(f"\\fB{o.split('(')[0]}\\fP({o[-2]})" for o in SEE_ALSO if o != f"{name}({section})")
    head = [
        f'.TH "{name.upper()}" "{section}" "" "Joyride {version}" "Joyride"',
        ".nh",
        ".SH NAME",
        f"{escape(name)} \\- {escape(summary)}",
    ]
    return "\n".join([*head, *content, ".SH SEE ALSO", others]) + "\n"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):
            continue
        default = action.dest.upper() if action.option_strings else action.dest
        value = action.metavar or (default if action.nargs != 0 else "")
        value = value if isinstance(value, str) else " ".join(value or ())
        names = ", ".join(f"\\fB{escape(o)}\\fP" for o in action.option_strings)
        tag = f"{names} \\fI{escape(value)}\\fP" if names and action.nargs != 0 else names
        yield from (".TP", tag or f"\\fI{escape(value or action.dest)}\\fP")
        text = (action.help or "").replace("%(default)s", str(action.default))
        yield inline(text.replace("%%", "%")) or "-"


def _usage(parser: argparse.ArgumentParser) -> str:
    text = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return re.sub(r" \.\.\.(?= \.\.\.)", "", text)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The sub-commands' parsers by name, without aliases."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            seen: dict[int, tuple[str, argparse.ArgumentParser]] = {}
            for name, sub in action.choices.items():
                seen.setdefault(id(sub), (name, sub))
            return dict(seen.values())
    return {}


def command_page(parser: argparse.ArgumentParser, version: str) -> str:
    """The page of `joyride` with all its sub-commands."""
    content = [".SH SYNOPSIS", inline(_usage(parser)), ".SH DESCRIPTION", inline(parser.description or "")]
    content += [".SH OPTIONS", *_options(parser), ".SH COMMANDS"]
    for name, sub in subcommands(parser).items():
        content += [f'.SS "joyride {name}"', inline(_usage(sub)), ".PP", inline(sub.description or sub.format_help())]
        content += list(_options(sub))
        for nested, deep in subcommands(sub).items():
            content += [".PP", f"\\fB{escape(f'joyride {name} {nested}')}\\fP: {inline(deep.description or '')}"]
            content += list(_options(deep))
        if sub.epilog:
            content += [".PP", inline(sub.epilog)]
    content += [".SH ENVIRONMENT"]
    for variable, text in ENVIRONMENT.items():
        content += [".TP", f"\\fB{variable}\\fP", inline(text)]
    return page("joyride", 1, "run programs on Joyride and look at its network service", content, version)


ENVIRONMENT = {
    "JOYRIDE": "`off` keeps a program on the kernel's network stack.",
    "JOYRIDE_SOCKET": "The service's control socket, `/run/joyride/netsvc.sock` by default.",
    "JOYRIDE_LIBC": "The folder of the patched libc, `/opt/joyride` by default.",
}

SERVICE = """
## SYNOPSIS

`joyride-netsvc` [`-c` FILE] [OPTION]...

## DESCRIPTION

`joyride-netsvc` owns network ports through DPDK and runs TCP, UDP and IP for the programs that are started on
`joyride-libc`: with `/opt/joyride/ld.so PROGRAM` or `joyride run PROGRAM`. Programs on the system's libc stay on the
kernel's network stack; both share the interface and its address. Without the service every program is on the kernel's.

The service stays root: it attaches BPF programs to interfaces. What it reads from programs' memory it checks.

## FILES

| file | what it is |
|---|---|
| `/etc/joyride/netsvc.toml` | the configuration, see netsvc.toml(5) |
| `/run/joyride/netsvc.sock` | where programs connect |
| `/run/joyride/stats.sock`, `/run/joyride/sysctl.sock` | where `joyride ss`, `joyride stat` and `joyride sysctl` ask |
| `/etc/default/joyride-hugepages` | how much memory `joyride-hugepages.service` sets aside at boot |

## SIGNALS

| signal | what happens |
|---|---|
| SIGHUP | reads the configuration again and applies `log_level` |
| SIGTERM, SIGINT | closes every connection and ends |
"""


def _section(markdown: str, title: str) -> str:
    """The part of a Markdown page under one second-level heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", markdown, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def write_all(out: Path, version: str) -> list[Path]:
    """Write every page to `out`; their paths."""
    sys.path.insert(0, str(REPO / "tools"))
    from joyride import cli

    settings = (REPO / "docs/configuration.md").read_text()
    config, _, _ = settings.partition("## Command line")
    service = SERVICE + "\n## OPTIONS\n" + _section(settings, "Command line")
    pages = {
        "joyride.1": command_page(cli.parser(), version),
        "netsvc.toml.5": page(
            "netsvc.toml", 5, "configuration of joyride-netsvc", [".SH DESCRIPTION", *body(config)], version
        ),
        "joyride-netsvc.8": page("joyride-netsvc", 8, "the network service of Joyride", list(body(service)), version),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (out / name).write_text(text)
    return [out / name for name in pages]
