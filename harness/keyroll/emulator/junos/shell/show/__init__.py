"""The text of operational commands. Functions of states: what they print, they were given."""
