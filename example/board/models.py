from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

#: Between two neighbours, so that a card moved between them takes a number in the middle and no
#: other card changes.
STEP = 1024.0


class Board(models.Model):
    name = models.CharField(max_length=60)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="boards")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class List(models.Model):
    board = models.ForeignKey(Board, models.CASCADE, related_name="lists")
    name = models.CharField(max_length=60)
    position = models.FloatField()

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class Card(models.Model):
    list = models.ForeignKey(List, models.CASCADE, related_name="cards")
    title = models.CharField(max_length=120)
    notes = models.TextField(blank=True, max_length=2000)
    position = models.FloatField(validators=[MinValueValidator(-1e12), MaxValueValidator(1e12)])
    # Responses and events take different roads: by this a browser knows which one is newer.
    version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.position is None:
            last = self.list.cards.aggregate(last=models.Max("position"))["last"]
            self.position = (last or 0) + STEP
        self.version += 1
        super().save(*args, **kwargs)
