# SPDX-License-Identifier: BSD-3-Clause
"""A server that was handed its socket; answers a line with what it is and the line in capitals.

handed.py wait          inetd's wait = yes: a listener as standard input
handed.py listen        systemd's: a listener as fd 3
handed.py accepted      systemd's: a connection as fd 3
"""

from __future__ import annotations

import select
import socket
import sys


def answer(conn: socket.socket, what: str) -> None:
    """One line."""
    line = conn.makefile("rb").readline()
    kind = conn.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    conn.sendall(f"{what} {kind} {conn.getpeername()[0]} ".encode() + line.upper())
    conn.close()


def main(how: str) -> None:
    """Serve."""
    if how == "accepted":
        answer(socket.socket(fileno=3), how)
        return
    listener = socket.socket(fileno=0 if how == "wait" else 3)
    listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    while how == "listen" or select.select([listener], [], [], 2)[0]:
        answer(listener.accept()[0], f"{how} {listening}")


if __name__ == "__main__":
    main(sys.argv[1])
