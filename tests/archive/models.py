from django.db import models


class Order(models.Model):
    """A model whose name another app's model bears as well."""

    year = models.IntegerField()
