# SPDX-License-Identifier: BSD-3-Clause
"""Makes packages, repositories and images from what packaging/ describes: `python3 -m ci.packages --help`."""
