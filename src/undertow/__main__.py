"""`python -m undertow` is the command `undertow`."""

from __future__ import annotations

import sys

from undertow.surfaces.cli import main

sys.exit(main())
