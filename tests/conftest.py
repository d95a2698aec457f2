"""Settings that hold for every test.

Hypothesis has no deadline: two busy cores make single examples slow now and then, and a slow
example is no bug. Its examples are the same in every run (derandomised), so that a red test
is red for everybody; the slow tests search further and with fresh seeds.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
