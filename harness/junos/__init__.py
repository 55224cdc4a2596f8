"""The client side of Junos: SSH sessions, show output parsed into records, commits, the base configuration."""
