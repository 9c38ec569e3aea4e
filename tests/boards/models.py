import uuid

from django.conf import settings
from django.db import models


class Team(models.Model):
    slug = models.SlugField(unique=True)


class Board(models.Model):
    team = models.ForeignKey(Team, models.CASCADE, null=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="boards")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="member_of")
    slug = models.SlugField(unique=True)
    secret = models.BooleanField(default=False)


class Task(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    board = models.ForeignKey(Board, models.CASCADE, related_name="tasks")
    text = models.CharField(max_length=100)
