"""One replica: the DynamoDB API over a local store. Knows nothing about peers; see ``region/DESIGN.md``."""
