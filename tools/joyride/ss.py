# SPDX-License-Identifier: BSD-3-Clause
"""`joyride ss`: the sockets that the service carries, and where each went."""

from __future__ import annotations

import argparse
import json
from typing import Any

from joyride import query, table

COLUMNS = {
    "Proto": "proto",
    "State": "state",
    "Recv-Q": "rx_queue",
    "Send-Q": "tx_queue",
    "Local": "local",
    "Peer": "remote",
    "Route": "route",
    "PID": "pid",
    "UID": "uid",
    "Program": "comm",
}
PLAIN = {"pid", "uid"}  # numbers that are names: no thousands' marks


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
    elif options.verbose:
        for sock in sockets:
            print(" ".join(f"{key}={text_of(key, value)}" for key, value in sock.items()))
    else:
        rows = [[text_of(key, sock.get(key)) for key in COLUMNS.values()] for sock in sockets]
        print(table.render(list(COLUMNS), rows))
    return 0


def text_of(key: str, value: Any) -> Any:
    """An endpoint as ADDRESS:PORT, what is absent as a dash, numbers as they are."""
    if isinstance(value, dict) and "addr" in value:
        address = str(value["addr"])
        return f"[{address}]:{value['port']}" if ":" in address else f"{address}:{value['port']}"
    if value is None or value == "":
        return "-"
    return str(value) if key in PLAIN else value


def _wanted(sock: dict[str, Any], options: argparse.Namespace) -> bool:
    if options.tcp != options.udp and (sock.get("proto") == "tcp") != options.tcp:
        return False
    return not options.listening or sock.get("state") == "LISTEN"
