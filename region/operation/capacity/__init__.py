"""Capacity: what an operation consumes, how it is provisioned, and the buckets that limit it."""
