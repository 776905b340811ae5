"""The limits of DynamoDB, each named once.

Source: AWS developer guide, "Quotas in Amazon DynamoDB" and "Constraints in Amazon DynamoDB" (autumn 2026).
Sizes are in bytes unless the name says otherwise.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * 1024

# Keys and items
PARTITION_KEY_BYTES_MAX: Final = 2048
SORT_KEY_BYTES_MAX: Final = 1024
ITEM_BYTES_MAX: Final = 400 * KIB
NESTING_MAX: Final = 32
NUMBER_DIGITS_MAX: Final = 38
NUMBER_EXPONENT_MAX: Final = 125
NUMBER_EXPONENT_MIN: Final = -130

# Tables and indexes
TABLE_NAME_MIN: Final = 3
TABLE_NAME_MAX: Final = 255
LOCAL_INDEXES_MAX: Final = 5
GLOBAL_INDEXES_MAX: Final = 20
PROJECTED_ATTRIBUTES_MAX: Final = 100
PROJECTED_ATTRIBUTES_PER_INDEX_MAX: Final = 20
INDEX_HASH_ATTRIBUTES_MAX: Final = 4
INDEX_RANGE_ATTRIBUTES_MAX: Final = 4
TABLES_MAX: Final = 2500
ITEM_COLLECTION_BYTES_MAX: Final = 10 * 1024 * MIB

# Expressions
EXPRESSION_BYTES_MAX: Final = 4 * KIB
EXPRESSION_OPERATORS_MAX: Final = 300
EXPRESSION_SUBSTITUTIONS_BYTES_MAX: Final = 2 * MIB
PLACEHOLDER_BYTES_MAX: Final = 255
IN_OPERANDS_MAX: Final = 100

# Reading and batches
PAGE_BYTES_MAX: Final = MIB
BATCH_GET_KEYS_MAX: Final = 100
BATCH_WRITE_ITEMS_MAX: Final = 25
BATCH_BYTES_MAX: Final = 16 * MIB
TOTAL_SEGMENTS_MAX: Final = 1_000_000
TRANSACTION_ACTIONS_MAX: Final = 100
TRANSACTION_BYTES_MAX: Final = 4 * MIB

# Tags
TAGS_MAX: Final = 50
TAG_KEY_LENGTH_MAX: Final = 128
TAG_VALUE_LENGTH_MAX: Final = 256

# Capacity
READ_UNIT_BYTES: Final = 4 * KIB
WRITE_UNIT_BYTES: Final = KIB

# The wire
REQUEST_BYTES_MAX: Final = 16 * MIB
