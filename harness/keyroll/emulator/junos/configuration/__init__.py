"""The configuration tree: schema, values, text forms, inheritance, constraints."""
