"""The archive of a region: backups, restores, point-in-time recovery, export and import."""
