from django.db import models

from drf_model_pusher.querysets import PushingQuerySet


class Customer(models.Model):
    slug = models.SlugField()


class Tag(models.Model):
    text = models.CharField(max_length=20)


class Parcel(models.Model):
    """What tests change in every way that there is."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="parcels")
    state = models.CharField(max_length=20, default="open")
    weight = models.DecimalField(max_digits=6, decimal_places=2, default=1)
    tags = models.ManyToManyField(Tag, related_name="parcels")

    objects = PushingQuerySet.as_manager()


class OldParcel(Parcel):
    class Meta:
        proxy = True


class ExpressParcel(Parcel):
    hours = models.IntegerField(default=24)


class Item(models.Model):
    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="items")
    text = models.CharField(max_length=20)


class Folder(models.Model):
    """It touches the one that it is in."""

    inside = models.ForeignKey("self", models.SET_NULL, null=True)


class StayingManager(models.Manager.from_queryset(PushingQuerySet)):
    def get_queryset(self):
        return super().get_queryset().filter(gone=False)


class Note(models.Model):
    """One that is gone is hidden, and still there."""

    text = models.CharField(max_length=20)
    gone = models.BooleanField(default=False)

    objects = StayingManager()
    everything = PushingQuerySet.as_manager()


class Seat(models.Model):
    """An object with a key of two values."""

    pk = models.CompositePrimaryKey("row", "number")
    row = models.IntegerField()
    number = models.IntegerField()
    taken = models.BooleanField(default=False)
