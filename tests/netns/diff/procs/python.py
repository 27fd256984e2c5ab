# SPDX-License-Identifier: BSD-3-Clause
"""Processes as Python makes them: subprocess with its fds closed, multiprocessing, socketserver's children, signals."""

from __future__ import annotations

import array
import asyncio
import multiprocessing
import os
import selectors
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from multiprocessing import connection, reduction
from pathlib import Path
from typing import Any

HOST, PEER = sys.argv[2], sys.argv[3]


def say(*words: object) -> None:
    """One line."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def dial(port: int = 7) -> socket.socket:
    """A connection to one of the peer's services."""
    return socket.create_connection((PEER, port), timeout=10)


def echoes(sock: socket.socket) -> bool:
    """Whether it is a connection to an echo."""
    sock.settimeout(10)
    sock.sendall(b"ping")
    got = b""
    while len(got) < 4 and (data := sock.recv(4 - len(got))):
        got += data
    return got == b"ping"


def call_me(port: int, count: int = 1, kind: str = "echo") -> None:
    """The peer connects."""
    with dial(7000) as sock:
        sock.sendall(f"dial {port} {count} {kind}\n".encode())
        assert sock.recv(10) == b"ok\n"


def subprocesses() -> None:
    """Run programs in all the ways."""
    sock = dial()
    for _ in range(5):
        say("run", subprocess.run(["true"], close_fds=True, check=False).returncode, echoes(sock))
    code = "import os,sys; fd=int(sys.argv[1]); os.fstat(fd)"
    for pass_fds in ([], [sock.fileno()]):
        argv = [sys.executable, "-c", code, str(sock.fileno())]
        done = subprocess.run(argv, pass_fds=pass_fds, stderr=subprocess.DEVNULL, check=False)
        say("pass_fds", len(pass_fds), done.returncode)
    argv = [sys.executable, "-c", "import socket,sys; s=socket.socket(fileno=0); s.sendall(b'x'); print(s.recv(1))"]
    sock.setblocking(True)  # what the two share
    say(subprocess.run(argv, stdin=sock.fileno(), capture_output=True, check=False).stdout)
    argv = ["sh", "-c", "ls /proc/self/fd | wc -l"]
    say(subprocess.run(argv, capture_output=True, check=False).stdout)
    say("preexec", subprocess.run(["true"], preexec_fn=lambda: None, check=False).returncode, echoes(sock))
    say(os.popen("echo out").read().strip(), os.system("exit 2") >> 8, echoes(sock))
    say(subprocess.run(["cat"], input=b"text", capture_output=True, check=False).stdout)


def child(pipe: connection.Connection[Any, Any], number: int) -> None:
    """What a process of multiprocessing does."""
    with dial() as sock:
        pipe.send((number, echoes(sock)))


def given(pipe: connection.Connection[Any, Any]) -> None:
    """Use the socket that is sent."""
    fd = reduction.recv_handle(pipe)
    with socket.socket(fileno=fd) as sock:
        pipe.send(echoes(sock))


def processes() -> None:
    """multiprocessing."""
    for method in ("fork", "spawn", "forkserver"):
        ctx: Any = multiprocessing.get_context(method)
        here, there = ctx.Pipe()
        all_of_them = [ctx.Process(target=child, args=(there, n)) for n in range(3)]
        for process in all_of_them:
            process.start()
        say(method, sorted(here.recv() for _ in range(3)))
        for process in all_of_them:
            process.join()
            say(method, process.exitcode)
        sock = dial()
        process = ctx.Process(target=given, args=(there,))
        process.start()
        reduction.send_handle(here, sock.fileno(), process.pid)
        say(method, "given", here.recv(), echoes(sock))
        process.join()


class Handler(socketserver.StreamRequestHandler):
    """Answers a question."""

    def handle(self) -> None:
        """One connection."""
        self.rfile.read(4)
        self.wfile.write(b"fork")


class Forking(socketserver.ForkingTCPServer):
    """A child per connection."""

    allow_reuse_address = True


def servers() -> None:
    """socketserver."""
    for kind in (Forking, socketserver.ThreadingTCPServer):
        with kind((HOST, 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            with dial(7000) as sock:
                sock.sendall(f"answers {server.server_address[1]} 20\n".encode())
                say(kind.__name__, sock.recv(100))
            server.shutdown()
            thread.join()


def passing() -> None:
    """Sockets by socket.send_fds, and by hand."""
    left, right = socket.socketpair()
    sock = dial()
    socket.send_fds(left, [b"x"], [sock.fileno(), sock.fileno()])
    _, fds, _, _ = socket.recv_fds(right, 1, 4)
    say("send_fds", len(fds), [echoes(socket.socket(fileno=fd)) for fd in fds])
    left.sendmsg([b"y"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
    _, ancillary, _, _ = right.recvmsg(1, socket.CMSG_LEN(4))
    (fd,) = array.array("i", ancillary[0][2])
    say("sendmsg", echoes(socket.socket(fileno=fd)))


def interrupted() -> None:
    """PEP 475, and handlers that raise."""
    ticks = []
    signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    sock = dial(9)
    sock.settimeout(0.3)
    start = time.monotonic()
    try:
        sock.recv(1)
    except TimeoutError:
        say("timeout", 0.29 < time.monotonic() - start < 2, len(ticks) > 5)
    sock.settimeout(None)

    def give_up(*_: object) -> None:
        raise KeyError

    signal.signal(signal.SIGALRM, give_up)
    for call in (lambda: sock.recv(1), lambda: selectors.DefaultSelector().select(5), lambda: time.sleep(5)):
        try:
            call()
        except KeyError:
            say("raised")
    signal.setitimer(signal.ITIMER_REAL, 0)
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        say("would block")


def forked_at_will() -> None:
    """os.fork with a listener, a close of everything, and what is left."""
    with socket.create_server((HOST, 0)) as server:
        pids = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                server.settimeout(10)
                sock, _ = server.accept()
                ok = echoes(sock)
                os.closerange(3, 4096)
                with dial() as own:
                    os._exit(0 if ok and echoes(own) else 1)
            pids.append(pid)
        call_me(server.getsockname()[1], 3)
        say([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
    with dial() as sock:
        say(str(Path(f"/proc/self/fd/{sock.fileno()}").readlink())[:8])


async def aio() -> None:
    """asyncio: streams, subprocesses, servers."""
    reader, writer = await asyncio.open_connection(PEER, 7)
    writer.write(b"hello")
    say(await reader.readexactly(5))
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    say(await process.communicate(b"through cat"))
    writer.write(b"again")
    say(await reader.readexactly(5))
    writer.close()
    await writer.wait_closed()
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ping")
        say(await reader.readexactly(4))
        writer.close()
        served.set()

    server = await asyncio.start_server(serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.get_running_loop().run_in_executor(None, call_me, port)
    await asyncio.wait_for(served.wait(), 10)
    server.close()
    await server.wait_closed()


def main() -> None:
    """All of it."""
    subprocesses()
    processes()
    servers()
    passing()
    interrupted()
    forked_at_will()
    asyncio.run(aio())


if __name__ == "__main__":
    main()
