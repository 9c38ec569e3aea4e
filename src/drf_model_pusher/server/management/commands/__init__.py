"""The commands of the embedded server."""
