"""One module for each command; its attribute `command` is what click runs."""
