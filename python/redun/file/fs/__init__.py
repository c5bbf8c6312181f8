"""File systems, one a module: what a protocol's files are, how they are hashed and copied."""
