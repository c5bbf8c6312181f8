"""Find the configuration, import the workflow, build the scheduler and the backend."""
