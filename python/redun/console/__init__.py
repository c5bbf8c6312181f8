"""`redun console`: a terminal application to look at what ran, one screen a file."""
