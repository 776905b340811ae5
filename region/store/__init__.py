"""Storage of one replica, behind a port; see ``region/store/port.py``."""
