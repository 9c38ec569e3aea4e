"""The console: a page that shows what the server does, and sends test events."""
