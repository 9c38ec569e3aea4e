"""The commands of the development server."""
