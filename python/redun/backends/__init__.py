"""Where call graphs and cached values are kept: the port and its database adapter."""
