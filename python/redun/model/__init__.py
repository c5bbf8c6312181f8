"""Records the engine passes round: jobs, executions, failures. No behaviour beyond their own state."""
