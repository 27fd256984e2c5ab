# SPDX-License-Identifier: BSD-3-Clause
"""One small web application for several frameworks: py_web.py tornado|aiohttp PORT, or py_web:wsgi for gunicorn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """/hello and /echo."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = body if environ["PATH_INFO"] == "/echo" else b"hello\n"
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


def tornado(port: int) -> None:
    """Three processes that share a listener."""
    from tornado import httpserver, ioloop, netutil, process, web  # type: ignore[import-not-found]

    class Handler(web.RequestHandler):  # type: ignore[misc]
        def get(self) -> None:
            self.write("hello\n")

        def post(self) -> None:
            self.write(self.request.body)

    application = web.Application([("/hello", Handler), ("/echo", Handler)])
    sockets = netutil.bind_sockets(port)
    process.fork_processes(3)
    httpserver.HTTPServer(application).add_sockets(sockets)
    ioloop.IOLoop.current().start()


def aiohttp(port: int) -> None:
    """One process."""
    from aiohttp import web  # type: ignore[import-not-found]

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello\n")

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    application = web.Application()
    application.add_routes([web.get("/hello", hello), web.post("/echo", echo)])
    web.run_app(application, port=port, print=None)


if __name__ == "__main__":
    {"tornado": tornado, "aiohttp": aiohttp}[sys.argv[1]](int(sys.argv[2]))
