"""Atoll for test suites: a cluster as a pytest fixture, faults as context managers, claims as assertions.

The fixtures are in :mod:`atoll.testing.plugin`, what they give in :mod:`atoll.testing.trial`. Nothing is imported here:
pytest loads the plugin in every run, also in those that never start a cluster.
"""
