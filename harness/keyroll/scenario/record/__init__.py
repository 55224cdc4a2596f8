"""What a run writes: result, timeline, run folder, text report."""
