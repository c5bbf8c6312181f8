"""Looking back: why jobs ran, what differs between executions. Reads repos, runs nothing."""
