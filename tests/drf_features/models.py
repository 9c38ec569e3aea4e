"""Models of each kind that Django has."""

import uuid

from django.db import models


class Place(models.Model):
    name = models.CharField(max_length=100)


class Cafe(Place):
    """Its primary key is a link to its parent."""

    seats = models.IntegerField(default=0)


class BusyPlace(Place):
    class Meta:
        proxy = True


class Profile(models.Model):
    """Its primary key is a foreign key."""

    place = models.OneToOneField(Place, models.CASCADE, primary_key=True)
    text = models.CharField(max_length=100)


class Ticket(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    text = models.CharField(max_length=20_000)


class Country(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=100, unique=True)


class City(models.Model):
    country = models.ForeignKey(Country, models.CASCADE, to_field="name")
    name = models.CharField(max_length=1_000)
    gone = models.BooleanField(default=False)


class Seat(models.Model):
    pk = models.CompositePrimaryKey("place", "number")
    place = models.ForeignKey(Place, models.CASCADE)
    number = models.IntegerField()
    text = models.CharField(max_length=20_000)
