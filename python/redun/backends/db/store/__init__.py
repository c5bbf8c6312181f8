"""What the backend does, one kind of record a file."""
