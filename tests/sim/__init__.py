# SPDX-License-Identifier: BSD-3-Clause
"""Congestion control in virtual time: scenarios for tests/sim's program, tables and plots of how they went."""
