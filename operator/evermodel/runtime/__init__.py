"""The edge: informers, the work queue, the controller, and everything that waits or writes."""
