"""The text of operational commands: pure functions of the states that they are given."""
