"""System checks: what is wrong with the project, and what to write instead.

``apps`` registers them. Each module looks at one thing that a project declares: its ``settings``,
the ``backends`` and their ``channels``, the ``views``, what ``deliveries`` and ``occupancy`` rely
on, and what public channels may give away (``leaks``). None of them asks the database, and none
raises: what one cannot tell because something is wrong is left to the check of that.
"""
