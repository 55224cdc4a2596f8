"""What `keyroll verify` prints: captures judged as a whole, reports, annotated captures."""
