"""Replicas of global tables: joining, leaving, taking a table apart, and what a replica may have of its own."""
