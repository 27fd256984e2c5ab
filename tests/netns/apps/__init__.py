# SPDX-License-Identifier: BSD-3-Clause
"""Programs as distributions ship them, each with a workload of its own, on the stock and on the patched libc."""
