"""Who may subscribe to a channel, and as whom."""
