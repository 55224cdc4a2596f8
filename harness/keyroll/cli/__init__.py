"""The command `keyroll`."""
