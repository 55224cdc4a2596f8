"""Loading, committing and saving a configuration."""
