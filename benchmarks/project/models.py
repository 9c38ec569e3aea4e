from django.db import models


class Order(models.Model):
    """About 200 bytes of JSON."""

    reference = models.CharField(max_length=20)
    customer = models.CharField(max_length=100)
    status = models.CharField(max_length=10, default="open")
    total = models.DecimalField(max_digits=8, decimal_places=2)
    position = models.IntegerField()
    placed_at = models.DateTimeField(auto_now_add=True)
    note = models.TextField(blank=True)

    def __str__(self):
        return self.reference
