"""Which channels have subscribers, so that nothing is rendered or sent for nobody.

``audience`` is asked before an event is rendered, and again before it leaves. What it knows is in
Django's cache: ``state`` keeps what webhooks tell of a channel and whom an authorization lets
expect, ``synchronizing`` asks Pusher about all channels at once, where one of them is unknown.
``reading`` reads several entries faster than Django's own Redis backend does.

Whatever is unknown is sent: of two errors, an event for nobody is the cheap one.
"""
