from rest_framework.serializers import ModelSerializer

from benchmarks.project.models import Order


class OrderSerializer(ModelSerializer):
    class Meta:
        model = Order
        fields = (
            "id",
            "reference",
            "customer",
            "status",
            "total",
            "position",
            "placed_at",
            "note",
        )
