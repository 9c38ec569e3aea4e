"""What the data of an event is made of, besides what the backend's serializer says.

Where a change was made without a request, the serializer is given the one of ``requests``. Where
the response surely says the same as the event, ``sharing`` lets both be rendered once. Those who
may not read an object, or not any more, are told its ``keys`` only; an object that is too large
for an event is replaced by what ``oversize`` says of it. ``encoding`` makes JSON of the
data, as the API's own renderer would.
"""
