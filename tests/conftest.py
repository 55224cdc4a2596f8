"""Shared by all tests."""

from hypothesis import HealthCheck, settings

# A busy machine is no finding: property tests judge results, never how long an example took.
settings.register_profile("keyroll", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyroll")
