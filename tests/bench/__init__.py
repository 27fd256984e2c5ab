# SPDX-License-Identifier: BSD-3-Clause
"""The demo and the benchmarks: the same programs on Joyride and on the kernel, in the same topology."""
