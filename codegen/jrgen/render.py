# SPDX-License-Identifier: BSD-3-Clause
"""Model to text to files. Templates hold `for` and `if`; whatever needs computing is a method of the model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import jinja2

TEMPLATE_DIR = Path(__file__).resolve().parent.parent / "templates"


def c_string(text: str) -> str:
    """A C string literal of the text (UTF-8)."""
    out = []
    for byte in text.encode("utf-8"):
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif byte < 0x20 or byte > 0x7E:
            out.append(f"\\{byte:03o}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def c_comment(text: str) -> str:
    """Text that can stand inside a C comment, on one line."""
    return " ".join(text.split()).replace("*/", "* /")


def md_cell(text: str) -> str:
    """Text that can stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def capitalised(text: str) -> str:
    """The text with its first letter large and the rest as it is."""
    return text[:1].upper() + text[1:]


def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE_DIR),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    env.filters["c_string"] = c_string
    env.filters["c_comment"] = c_comment
    env.filters["md_cell"] = md_cell
    env.filters["capitalised"] = capitalised
    return env


_ENV = _environment()


def render(template: str, **values: object) -> str:
    """The text of templates/<template>."""
    return _ENV.get_template(template).render(**values)


def write(out: Path, files: Iterable[tuple[str, str]]) -> list[Path]:
    """Write (name, text) pairs below `out`; a file that already holds its text keeps its time stamp."""
    written = []
    for name, text in files:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.is_file() and path.read_text(encoding="utf-8") == text):
            path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
