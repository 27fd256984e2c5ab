# SPDX-License-Identifier: BSD-3-Clause
"""Signed connections: `server ADDRESS PEER KEY` answers one client in capitals; `client ADDRESS [KEY]` prints that."""

from __future__ import annotations

import socket
import struct
import sys

PORT = 7000
TCP_MD5SIG = 14


def signature(peer: str, key: str) -> bytes:
    address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(peer)).ljust(128, b"\0")
    return address + struct.pack("=BBHi80s", 0, 0, len(key), 0, key.encode())


def use_key(sock: socket.socket, peer: str, key: str) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, signature(peer, key))


def server(address: str, peer: str, key: str) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    use_key(listener, peer, key)
    listener.bind((address, PORT))
    listener.listen()
    print("listening", flush=True)
    sock, _ = listener.accept()
    sock.sendall(sock.recv(100).upper())
    sock.close()


def client(address: str, key: str = "") -> None:
    sock = socket.socket()
    sock.settimeout(5 if key == "secret" else 0.5)
    if key:
        use_key(sock, address, key)
    try:
        sock.connect((address, PORT))
        sock.sendall(b"hello")
        print(sock.recv(100).decode())
    except OSError as e:
        print(type(e).__name__)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        server(*sys.argv[2:])
    else:
        client(*sys.argv[2:])
