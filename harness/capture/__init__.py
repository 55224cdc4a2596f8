"""The referee: reads captures, tracks connections by itself, and says of each segment whether it was right."""
