"""AWS Fault Injection Service, as far as DynamoDB global tables go: game-day scripts written for AWS run unchanged.

What: an endpoint that boto3's ``fis`` client speaks to. Experiment templates, experiments and their actions, of which
there are two: ``aws:dynamodb:global-table-pause-replication`` and ``aws:fis:wait``.
"""

from chaos.fis.endpoint import application
from chaos.fis.experiments import Experiments, Region

__all__ = ["Experiments", "Region", "application"]
