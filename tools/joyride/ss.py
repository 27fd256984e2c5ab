# SPDX-License-Identifier: BSD-3-Clause
"""`joyride ss`: the sockets that the service carries, and why each went where it is."""

from __future__ import annotations

import argparse
import json
from typing import Any

from joyride import query, table

# The first name found in the service's answer is shown.
COLUMNS: list[tuple[str, tuple[str, ...]]] = [
    ("Proto", ("proto", "type")),
    ("State", ("state",)),
    ("Recv-Q", ("recv_q", "rx_used", "rx_bytes")),
    ("Send-Q", ("send_q", "tx_used", "tx_bytes")),
    ("Local", ("local", "laddr")),
    ("Peer", ("peer", "remote", "faddr")),
    ("PID", ("pid",)),
    ("UID", ("uid",)),
    ("Route", ("route", "reason")),
]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("ss", help="list sockets", description="List the sockets that the service carries.")
    parser.add_argument("-t", "--tcp", action="store_true", help="only TCP")
    parser.add_argument("-u", "--udp", action="store_true", help="only UDP")
    parser.add_argument("-l", "--listening", action="store_true", help="only listening ones")
    parser.add_argument("-v", "--verbose", action="store_true", help="everything the service tells about each")
    parser.add_argument("--json", action="store_true", help="the service's own answer")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    sockets = [s for s in query.snapshot(options.run_dir).get("sockets", []) if _wanted(s, options)]
    if options.json:
        print(json.dumps(sockets, indent=1))
        return 0
    shown = [
        (title, names) for title, names in COLUMNS if not sockets or any(_first(s, names) is not None for s in sockets)
    ]
    rows = [["-" if (v := _first(s, names)) is None else v for _, names in shown] for s in sockets]
    if options.verbose:
        for sock in sockets:
            print(" ".join(f"{k}={v}" for k, v in sock.items()))
    else:
        print(table.render([title for title, _ in shown], rows))
    return 0


def _first(sock: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((sock[n] for n in names if n in sock), None)


def _wanted(sock: dict[str, Any], options: argparse.Namespace) -> bool:
    proto = str(_first(sock, COLUMNS[0][1])).lower()
    if options.tcp != options.udp and (proto.startswith(("tcp", "stream")) != options.tcp):
        return False
    return not options.listening or "listen" in str(_first(sock, COLUMNS[1][1])).lower()
