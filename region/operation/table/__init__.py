"""Tables and their indexes: creating, changing, describing and deleting them, and the records that travel to peers."""
