"""Streams: shards, iterators and records read from the change log, and the stream of conflicts beside them."""
