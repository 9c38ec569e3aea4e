import uuid

from django.db import models


class Order(models.Model):
    reference = models.UUIDField(default=uuid.uuid4)
    customer = models.CharField(max_length=100)
    total = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    placed = models.DateTimeField(auto_now_add=True)


class Line(models.Model):
    """A model of the shop without a backend."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    text = models.CharField(max_length=100)
