"""The lab of a run: how it is made, pooled, reset, addressed and monitored."""
