"""Evermodel: declare a model, its data and the accuracy it must keep; the operator keeps it so."""

__version__ = "0.1.0"
