"""Who may subscribe to a channel, and as whom.

``views`` takes what pusher-js asks, in the shapes of ``requests``, and asks the
``ChannelAuthorizer`` of ``authorizer`` about each channel. It finds every backend that understands
the name, and asks all of its rules: its own method; its view, which ``gets`` finds at the
project's URLs; and its ``permission_classes``, of which ``permission_rules`` makes a view.
``asking`` makes the GET, and ``evidence`` looks whether the answer shows the ``subjects`` of the
channel. Whatever says no, or breaks down, becomes a ``Refused`` of ``refusals``. Who is granted
gets a signature of ``signing``, over the data of ``presence`` on a presence channel, and the secret
of ``encryption`` on an encrypted one.
"""
