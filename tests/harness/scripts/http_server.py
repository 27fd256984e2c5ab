# SPDX-License-Identifier: BSD-3-Clause
"""An HTTP/1.1 server on asyncio streams: GET /N answers N bytes, POST answers the sha256 of the body.

Usage: http_server.py ADDRESS PORT
"""

from __future__ import annotations

import asyncio
import hashlib
import sys


async def read_head(reader: asyncio.StreamReader) -> tuple[str, str, int] | None:
    """Method, path and body length of the next request; None when the peer has finished."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.split("\r\n")
    method, path, _version = first.split(" ", 2)
    fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return method, path, int(fields.get("content-length", "0"))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection until it ends."""
    while request := await read_head(reader):
        method, path, length = request
        if method == "POST":
            answer = hashlib.sha256(await reader.readexactly(length)).hexdigest().encode()
        else:
            answer = bytes(i & 0xFF for i in range(256)) * (int(path[1:]) // 256 + 1)
            answer = answer[: int(path[1:])]
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
    writer.close()


async def main() -> None:
    """Listen until killed."""
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]), backlog=512)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
