"""Sources, reading, checking and splitting of data."""
