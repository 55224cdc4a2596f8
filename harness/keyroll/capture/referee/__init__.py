"""The verdict on each segment: connections, ISNs, SNEs, key changes, counts."""
