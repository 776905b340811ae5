"""Single items, batches of them and pages over them, with the expressions and legacy parameters of their requests."""
