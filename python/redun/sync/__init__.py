"""Moving records between repos: push, pull, export, import."""
