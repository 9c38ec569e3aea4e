"""What management commands find out about a project, and about the service that it uses.

For ``pusher_explain``: ``explaining`` makes what a change would push, and ``admittance`` says who
might hear of it. For ``pusher_doctor``: ``diagnosis`` looks at what the project declares, lets
``state`` look at what it works with, and lets ``probing`` ask the service; each gives ``findings``.
For ``pusher_listen``, and for the doctor's test event: ``listening`` is a client of the service.
Nothing but the commands imports any of it.
"""
