"""From a change to its events: record now, render once.

Producers (views, observers, bulk querysets, direct calls) make a ``Change`` and hand it to
``recording``. That renders what cannot be had later, and writes the rest into the ``journal`` of
the transaction; a ``block`` is the journal of one ``perform_…()`` or bulk operation. After the
commit, ``flushing`` resolves verbs, leaves out what ``netting`` makes superfluous, and lets
``building`` read the rows and ask the backends; ``composing`` makes the events. ``snapshots`` know
what an object was before, ``touching`` whose update it is too, ``failures`` what becomes of an
error, and the ``codec`` how the outbox stores a change.
"""
