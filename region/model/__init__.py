"""The data model of DynamoDB: values, numbers, keys, tables, versions and changes. Pure, and free of I/O."""
