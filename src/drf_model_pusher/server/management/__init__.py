"""The command of the development server."""
