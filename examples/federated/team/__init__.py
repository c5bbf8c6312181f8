"""What the other team publishes."""
