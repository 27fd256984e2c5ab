# SPDX-License-Identifier: BSD-3-Clause
"""Turns a file into C source that defines its bytes: embed.py INPUT OUTPUT SYMBOL."""

import sys
from pathlib import Path


def main() -> None:
    """Write OUTPUT with `const unsigned char SYMBOL[]` and `const unsigned SYMBOL_len`."""
    source, target, symbol = sys.argv[1:]
    data = Path(source).read_bytes()
    rows = (", ".join(str(b) for b in data[i : i + 24]) for i in range(0, len(data), 24))
    body = ",\n    ".join(rows)
    Path(target).write_text(
        f"extern const unsigned char {symbol}[];\nextern const unsigned {symbol}_len;\n"
        # libbpf reads the object in place, as ELF structures
        f"const unsigned char {symbol}[] __attribute__((aligned(16))) = {{\n    {body}}};\n"
        f"const unsigned {symbol}_len = sizeof {symbol};\n"
    )


if __name__ == "__main__":
    main()
