"""Who may subscribe to a channel, and as whom.

``views`` takes what pusher-js asks, in the shapes of ``requests``, and asks the ``Doorkeeper`` of
``subscriptions`` about each channel. That finds every backend whose channels may have the name, and
asks all of its rules: its own method; its ``view_class``, for which ``view_rules`` says which GET
the channel stands for; and its ``permission_classes``, of which ``permission_rules`` makes such a
GET as well. ``view_questions`` puts it to the view, as a request made by ``get_requests``;
``subjects`` sees whether the answer shows what the channel is about; ``trusted`` knows which code
of DRF's is sure to. Whatever says no, or breaks down, becomes a ``Refused`` of ``refusals``. Who is
granted gets a signature of ``signing``, over the data of ``presence`` on a presence channel, and
the secret of ``encryption`` on an encrypted one.
"""
