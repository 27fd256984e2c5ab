# SPDX-License-Identifier: BSD-3-Clause
"""Test suites of well-known programs, on the stock and on the patched libc with loopback through the service."""
