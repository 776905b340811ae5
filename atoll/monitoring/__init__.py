"""CloudWatch for a region's DynamoDB metrics: collected in memory, answered in AWS's protocols.

Loaded at a region's start: ``collector`` and ``series`` alone. What answers requests is loaded at the first one.
"""
