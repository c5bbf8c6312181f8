"""Records as lines of text. Nothing here prints or asks a database."""
