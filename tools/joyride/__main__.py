# SPDX-License-Identifier: BSD-3-Clause
"""`python3 -m joyride`."""

import sys

from joyride.cli import main

sys.exit(main())
