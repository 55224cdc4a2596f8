"""The scenario file: what a person writes, read strictly."""
