"""Delivery to Kinesis: what changes in a table goes out to the stream that its destination names.

Loaded only where an endpoint is configured, but for its events.
"""
