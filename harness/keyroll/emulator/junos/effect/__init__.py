"""Derived from a committed configuration: the intent for the machine half, accounts, routing policies, keys in use."""
