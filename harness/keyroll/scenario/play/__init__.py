"""Steps played: one module for each family of steps."""
