# SPDX-License-Identifier: BSD-3-Clause
"""Fetches /file four times, plain and by TLS, by requests and urllib: py_fetch.py URL TLS-URL CERT; prints sha256s."""

from __future__ import annotations

import hashlib
import ssl
import sys
import urllib.request

import requests

plain, secure, cert = sys.argv[1:]
with requests.Session() as session:
    for url in (plain, secure):
        print(hashlib.sha256(session.get(f"{url}/file", verify=cert, timeout=20).content).hexdigest())
context = ssl.create_default_context(cafile=cert)
for url in (plain, secure):
    with urllib.request.urlopen(f"{url}/file", context=context if url is secure else None, timeout=20) as answer:
        print(hashlib.sha256(answer.read()).hexdigest())
