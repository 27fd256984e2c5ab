# SPDX-License-Identifier: BSD-3-Clause
"""Long transfers over a bad network: `nox -s soak`."""
