# SPDX-License-Identifier: BSD-3-Clause
"""What the end-to-end tests, the demo and the benchmarks run on: namespaces, programs, the service, the patched libc.

Everything made here is undone on every way out: the context managers undo it, exit handlers undo what they could not
(SIGTERM and SIGHUP become an exit), and what a killed run left behind carries its pid in the name, so that the next run
finds and removes it.
"""
