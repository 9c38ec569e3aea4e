"""Which changes are told of, how often, and as what."""
