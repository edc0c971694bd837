"""What all unit tests share."""

from hypothesis import HealthCheck, settings

# A busy machine is no failure, and a run that fails fails again.
settings.register_profile(
    "unit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("unit")
