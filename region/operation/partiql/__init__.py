"""PartiQL statements, alone, in batches and in transactions, run on the same items as all other requests."""
