"""One viewset in four variants; see ``views``."""
