# SPDX-License-Identifier: BSD-3-Clause
"""`joyride ss`: the sockets that the service carries, as ss(8) shows the kernel's."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import stat
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyride import query, table

# ss's names of the states, by the service's.
STATES = {
    "ESTABLISHED": "ESTAB",
    "SYN_SENT": "SYN-SENT",
    "SYN_RCVD": "SYN-RECV",
    "SYN_RECEIVED": "SYN-RECV",
    "FIN_WAIT_1": "FIN-WAIT-1",
    "FIN_WAIT_2": "FIN-WAIT-2",
    "TIME_WAIT": "TIME-WAIT",
    "CLOSED": "UNCONN",
    "CLOSE_WAIT": "CLOSE-WAIT",
    "LAST_ACK": "LAST-ACK",
    "LISTEN": "LISTEN",
    "CLOSING": "CLOSING",
    "UNCONN": "UNCONN",
}
ALL = frozenset(STATES.values())
CONNECTED = ALL - {"LISTEN", "UNCONN"}
SYNCHRONIZED = CONNECTED - {"SYN-SENT"}
BUCKET = frozenset({"SYN-RECV", "TIME-WAIT"})
GROUPS = {
    "all": ALL,
    "connected": CONNECTED,
    "synchronized": SYNCHRONIZED,
    "bucket": BUCKET,
    "big": ALL - BUCKET,
    "established": frozenset({"ESTAB"}),
    "listening": frozenset({"LISTEN"}),
    "closed": frozenset({"UNCONN"}),
    "unconnected": frozenset({"UNCONN"}),
    **{name.lower(): frozenset({name}) for name in ALL},
}


@dataclass(frozen=True)
class Holder:
    """A process that has the socket open."""

    pid: int
    comm: str
    fd: int


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "ss",
        help="list sockets",
        description="List the sockets that the service carries, of all programs, as ss(8) lists the kernel's. Without "
        "options: those that are connected.",
        epilog="filter: `state NAME` or `exclude NAME`, several times; NAME as for ss(8): established, syn-sent, "
        "listening, connected, synchronized, ...",
    )
    flag = "store_true"
    parser.add_argument("-t", "--tcp", action=flag, help="only TCP")
    parser.add_argument("-u", "--udp", action=flag, help="only UDP")
    parser.add_argument("-4", "--ipv4", action=flag, help="only IPv4")
    parser.add_argument("-6", "--ipv6", action=flag, help="only IPv6")
    parser.add_argument("-l", "--listening", action=flag, help="only listening ones (UDP: unconnected)")
    parser.add_argument("-a", "--all", action=flag, help="listening and others")
    parser.add_argument("-n", "--numeric", action=flag, help="port numbers instead of names")
    parser.add_argument("-p", "--processes", action=flag, help="who has it open: name, pid, fd (root sees all)")
    parser.add_argument("-o", "--options", action=flag, help="the timer that runs")
    parser.add_argument(
        "-e", "--extended", action=flag, help="user, route, inode of the handle, place in shared memory"
    )
    parser.add_argument("-i", "--info", action=flag, help="TCP's own numbers")
    parser.add_argument("-H", "--no-header", action=flag, help="no header")
    parser.add_argument("-v", "--verbose", action=flag, help="everything the service tells about each")
    parser.add_argument("-j", "--json", action=flag, help="the service's own answer, with the processes that hold each")
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="state NAME, exclude NAME")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    try:
        states = states_of(options)
    except ValueError as error:
        print(f"joyride: {error}")
        return 2
    sockets = [s for s in query.snapshot(options.run_dir).get("sockets", []) if _wanted(s, options, states)]
    held = holders() if options.processes or options.json else {}
    if options.json:
        for sock in sockets:
            sock["holders"] = [vars(one) for one in held.get(sock.get("ino"), [])]
        print(json.dumps(sockets, indent=1))
    elif options.verbose:
        for sock in sockets:
            print(" ".join(f"{key}={text_of(value)}" for key, value in sock.items()))
    else:
        _print(sockets, options, held)
    return 0


def states_of(options: argparse.Namespace) -> frozenset[str]:
    """The states to show.

    Raises:
        ValueError: the filter is not one.
    """
    words = list(options.filter)
    shown: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    while words:
        verb, name = words.pop(0), words.pop(0) if words else ""
        if verb not in ("state", "exclude") or name.lower() not in GROUPS:
            raise ValueError(f"`{verb} {name}`: not state NAME or exclude NAME; names: {', '.join(sorted(GROUPS))}")
        if verb == "state":
            shown |= GROUPS[name.lower()]
        else:
            hidden |= GROUPS[name.lower()]
    if not shown:
        shown = ALL if options.all or hidden else frozenset({"LISTEN", "UNCONN"}) if options.listening else CONNECTED
    return shown - hidden


def holders() -> dict[int, list[Holder]]:
    """Who has which handle open, by its inode, from /proc: of all processes for root, else of the user's own."""
    found: dict[int, list[Holder]] = defaultdict(list)
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            comm = (process / "comm").read_text().strip()
            fds = sorted(int(fd.name) for fd in (process / "fd").iterdir())
        except OSError:
            continue
        for fd in fds:
            path = process / "fd" / str(fd)
            try:
                if "/handles/" not in str(path.readlink()):
                    continue
                status = path.stat()
            except OSError:
                continue
            if stat.S_ISFIFO(status.st_mode):
                found[status.st_ino].append(Holder(int(process.name), comm, fd))
    return found


def text_of(value: Any) -> Any:
    """An endpoint as ADDRESS:PORT, what is absent as a dash."""
    if isinstance(value, dict) and "addr" in value:
        return endpoint(value, "", numeric=True)
    return "-" if value is None or value == "" else value


def endpoint(value: dict[str, Any] | None, proto: str, *, numeric: bool) -> str:
    """ADDRESS:PORT as ss prints it."""
    if value is None:
        return "*:*"
    port = str(value["port"])
    if not numeric and value["port"]:
        with contextlib.suppress(OSError, OverflowError):
            port = socket.getservbyport(value["port"], proto)
    address = str(value["addr"])
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def state_of(sock: dict[str, Any]) -> str:
    """As ss calls it."""
    name = str(sock.get("state") or "UNCONN").replace("-", "_")
    return STATES.get(name, name)


def _print(sockets: list[dict[str, Any]], options: argparse.Namespace, held: dict[int, list[Holder]]) -> None:
    header = ["Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Route"]
    header += ["Process"] if options.processes else []
    rows: list[list[object]] = []
    below: list[str] = []
    for sock in sockets:
        proto = str(sock.get("proto"))
        listens = state_of(sock) == "LISTEN"
        ends = [endpoint(sock.get(key), proto, numeric=options.numeric) for key in ("local", "remote")]
        queues = [sock.get("accept_queue", 0), sock.get("backlog", 0)] if listens else []
        queues = queues or [sock.get("rx_queue", 0), sock.get("tx_queue", 0)]
        row: list[object] = [proto, state_of(sock), *(str(n) for n in queues), *ends, sock.get("route") or "-"]
        if options.processes:
            row.append(users(held.get(sock.get("ino", -1), [])) or "-")
        rows.append(row)
        below.append(" ".join(_details(sock, options)))
    lines = table.render(header, rows).splitlines()
    if not options.no_header:
        print(lines[0])
    for line, more in zip(lines[1:], below, strict=True):
        print(line)
        if more:
            print(f"\t {more}")


def users(held: list[Holder]) -> str:
    """As ss prints them."""
    each = [f'("{one.comm}",pid={one.pid},fd={one.fd})' for one in held]
    return f"users:({','.join(each)})" if each else ""


def _details(sock: dict[str, Any], options: argparse.Namespace) -> list[str]:
    words = []
    timer = sock.get("timer")
    if options.options and timer:
        words.append(f"timer:({timer['name']},{duration(timer['left_ms'])},{timer['count']})")
    if options.extended:
        words.append(f"uid:{sock.get('uid')} ino:{sock.get('ino')} seg:{sock.get('seg')}/{sock.get('slot')}")
        words.append(f"made-by:{sock.get('comm')},{sock.get('pid')}")
    tcp = sock.get("tcp")
    if options.info and tcp:
        words += [
            f"rto:{tcp['rto_us'] / 1000:g}",
            f"rtt:{tcp['rtt_us'] / 1000:g}/{tcp['rttvar_us'] / 1000:g}",
            *(f"{name}:{tcp[name]}" for name in ("mss", "pmtu", "cwnd")),
        ]
        words += [f"ssthresh:{tcp['ssthresh']}"] if tcp["ssthresh"] < 2**31 - 1 else []
        names = ("bytes_sent", "bytes_acked", "bytes_received", "segs_out", "segs_in", "unacked", "notsent", "lost")
        words += [f"{name}:{tcp[name]}" for name in names if tcp[name]]
        words += [f"retrans:{tcp['retrans']}/{tcp['retrans_total']}"] if tcp["retrans_total"] else []
        words.append(f"rcv_space:{sock.get('rx_cap')} snd_wnd:{tcp['snd_wnd']}")
    return words


def duration(ms: int) -> str:
    """As ss prints timers: 200ms, 1.2sec, 119min."""
    if ms < 1000:
        return f"{ms}ms"
    seconds = ms / 1000
    return f"{seconds:.3g}sec" if seconds < 60 else f"{int(seconds / 60)}min"


def _wanted(sock: dict[str, Any], options: argparse.Namespace, states: frozenset[str]) -> bool:
    if options.tcp != options.udp and (sock.get("proto") == "tcp") != options.tcp:
        return False
    six = ":" in str((sock.get("local") or sock.get("remote") or {}).get("addr", ""))
    if options.ipv6 not in (options.ipv4, six):
        return False
    if options.listening and not options.filter and sock.get("proto") == "tcp" and state_of(sock) != "LISTEN":
        return False
    return state_of(sock) in states
