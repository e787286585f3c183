"""Step 1, formats: one reader and writer per public file format, lazy and chunked."""
