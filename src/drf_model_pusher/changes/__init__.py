"""Which changes are told of, how often, and as what.

Changes come from views, from ``observers`` and from ``querysets``. While a view handles a request,
``handling`` sees to it that what the view pushes and what observers see of it is told of once: a
``Scope`` of ``scopes`` holds what one ``perform_…()`` changes, and ``moments`` know what was rolled
back. What objects were before an update is kept by ``remembering``: the channels that they may
leave (``moves``), and the values by which ``changed`` says what has changed.

A backend that needs no more than that composes its event at once. Changes of many objects
(``bulk``), of objects that are read again (``refetching``) and of parents that they touch
(``touching``) wait for the commit, each a ``Change``. Then ``netting`` says what is left to tell of
them, and ``settling`` tells it, ``reading`` many objects at a time.
"""
