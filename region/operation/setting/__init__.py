"""Settings beside a table's schema, one module each: tags, time to live, policies, auto scaling, insights, Kinesis."""
