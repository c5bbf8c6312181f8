"""Clients of services of others: the only modules that import the libraries of vendors."""
