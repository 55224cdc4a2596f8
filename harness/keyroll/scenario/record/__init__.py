"""What a run leaves: result, timeline, run folder, text report."""
