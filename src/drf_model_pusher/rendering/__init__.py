"""What the data of an event is made of."""
