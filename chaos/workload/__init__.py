"""Workloads: clients that use a table as applications do, and write down what they were told.

What: coroutines against the :class:`~chaos.workload.client.Client` protocol, one file a workload, which record into a
:class:`~chaos.history.Recorder`. Nothing in here knows whether its regions are simulated.
"""

from chaos.workload.client import CallError, Client

__all__ = ["CallError", "Client"]
