"""Junos configurations as people have them: one reader, sessions and keychains. Pure."""
