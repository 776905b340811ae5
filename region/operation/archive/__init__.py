"""Backups, restores, point-in-time recovery, exports and imports: what is asked of the archive, and its progress."""
