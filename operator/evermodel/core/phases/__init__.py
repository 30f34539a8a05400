"""The phases of the loop, each a plain function from what was observed to what to do."""
