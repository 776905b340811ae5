"""The whole system under one seed: virtual time, simulated network, disks, clocks and processes; see DESIGN.md."""
