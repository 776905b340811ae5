"""Transactions: their actions, the reports of a cancelled one, and the tokens that make a repeated one harmless."""
