"""What the steps do: one module for each family of steps."""
