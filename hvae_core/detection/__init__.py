"""From scores to decisions: metrics, reports, thresholds, verdicts."""
