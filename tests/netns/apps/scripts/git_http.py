# SPDX-License-Identifier: BSD-3-Clause
"""An HTTP server in front of git-http-backend(1): git_http.py PORT."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Every request is the backend's."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """The request's content."""
        data = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return zlib.decompress(data, 31) if self.headers.get("Content-Encoding") == "gzip" else data

    def run(self) -> None:
        """Answer with what the backend says."""
        data = self.body()
        path, _, query = self.path.partition("?")
        env = {**os.environ, "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(data)),
               "REMOTE_USER": "a", "REMOTE_ADDR": self.client_address[0]}  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=data, env=env, stdout=subprocess.PIPE, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = run  # noqa: N815 (http.server's names)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
