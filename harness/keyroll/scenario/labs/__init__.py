"""The lab of a run: made, taken from the pool, reset, addressed, watched."""
