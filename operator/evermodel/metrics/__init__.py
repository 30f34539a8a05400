"""Where the live quality and the reports of Jobs come from."""
