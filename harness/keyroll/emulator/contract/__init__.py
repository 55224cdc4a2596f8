"""Values that the parts of an emulated router exchange, and what each part needs of the system."""
