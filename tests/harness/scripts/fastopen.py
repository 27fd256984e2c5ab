# SPDX-License-Identifier: BSD-3-Clause
"""TCP Fast Open between two programs: `server ADDRESS` tells what came with the SYN that `client ADDRESS` sent."""

from __future__ import annotations

import errno
import json
import socket
import sys

PORT = 7000
TCP_FASTOPEN_CONNECT = 30
OPTIONS_AT, SYN_DATA = 5, 32  # in struct tcp_info


def came_with_syn(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[OPTIONS_AT] & SYN_DATA)


def server(address: str) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 5
    listener.bind((address, PORT))
    listener.listen()
    print("listening", flush=True)
    seen, text = [], b""
    while text != b"end":
        sock, _ = listener.accept()
        text = sock.recv(100)
        seen.append(came_with_syn(sock))
        sock.sendall(text.upper())
        sock.recv(1)
        sock.close()
    print(json.dumps(seen), flush=True)


def call(sock: socket.socket) -> list[object]:
    answer = [sock.recv(100).decode(), came_with_syn(sock)]
    sock.close()
    return answer


def by_send(address: str, text: bytes, *, wait: bool = True) -> list[object]:
    sock = socket.socket()
    sock.setblocking(wait)
    try:
        assert sock.sendto(text, socket.MSG_FASTOPEN, (address, PORT)) == len(text)
    except BlockingIOError:  # Linux takes nothing as long as it has no cookie
        sock.setblocking(True)
        sock.sendall(text)
    sock.setblocking(True)
    return call(sock)


def by_connect(address: str, text: bytes) -> list[object]:
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    sock.connect((address, PORT))
    sock.sendall(text)
    return call(sock)


def refused(address: str) -> str:
    try:
        socket.socket().sendto(b"x", socket.MSG_FASTOPEN, (address, PORT + 1))
    except OSError as e:
        return errno.errorcode[e.errno or 0]
    return "none"


def twice(address: str) -> str:
    sock = socket.socket()
    sock.sendto(b"twice", socket.MSG_FASTOPEN, (address, PORT))
    try:
        sock.sendto(b"x", socket.MSG_FASTOPEN, (address, PORT))
    except OSError as e:
        return errno.errorcode[e.errno or 0]
    finally:
        sock.recv(100)
        sock.close()
    return "none"


def client(address: str) -> None:
    found = [by_send(address, b"one"), by_send(address, b"two"), by_send(address, b"three", wait=False)]
    found += [by_connect(address, b"four"), [refused(address), twice(address)], by_connect(address, b"end")]
    print(json.dumps(found))


if __name__ == "__main__":
    {"server": server, "client": client}[sys.argv[1]](sys.argv[2])
