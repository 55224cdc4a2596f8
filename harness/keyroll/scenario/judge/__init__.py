"""Conditions, invariants and fitness: what makes a run green, red or unfit."""
