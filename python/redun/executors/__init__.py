"""Where jobs run: one adapter a file."""
