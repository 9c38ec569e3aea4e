"""What the management commands find out of a project, and of its service."""
