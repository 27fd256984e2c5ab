# SPDX-License-Identifier: BSD-3-Clause
"""The `joyride` command."""

__version__ = "0.1.0"
