# SPDX-License-Identifier: BSD-3-Clause
"""Builds, installs and tests the patched glibc: `python3 -m ci.libc --help`."""
