# SPDX-License-Identifier: BSD-3-Clause
"""Many keep-alive connections on asyncio streams, each with GETs and one POST; every answer is checked.

Usage: http_client.py ADDRESS PORT CONNECTIONS REQUESTS BYTES
Prints {"requests": n, "bytes": n, "seconds": s} as JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body of one response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/1.1 200"), head
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n") if ": " in line)
    return await reader.readexactly(int(fields["content-length"]))


async def talk(address: str, port: int, requests: int, size: int) -> int:
    """One connection's requests; the bytes it received."""
    reader, writer = await asyncio.open_connection(address, port)
    want = (bytes(range(256)) * (size // 256 + 1))[:size]
    total = 0
    for _ in range(requests):
        writer.write(f"GET /{size} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = await answer(reader)
        assert got == want, "body differs"
        total += len(got)
    body = bytes(reversed(want)) * 16
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    assert (await answer(reader)).decode() == hashlib.sha256(body).hexdigest(), "posted body differs"
    writer.close()
    await writer.wait_closed()
    return total + len(body)


async def main() -> None:
    """Run the connections at once and print the sum."""
    address, port, connections, requests, size = sys.argv[1], *map(int, sys.argv[2:6])
    start = time.monotonic()
    sums = await asyncio.gather(*(talk(address, port, requests // connections, size) for _ in range(connections)))
    done = connections * (requests // connections + 1)
    print(json.dumps({"requests": done, "bytes": sum(sums), "seconds": time.monotonic() - start}))


asyncio.run(main())
