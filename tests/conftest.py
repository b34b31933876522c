"""What every test shares."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a slow machine proves nothing about a rule. In CI the examples are the same every
# time, so that a red run is about the change; at home they are new ones every time.
settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
