from rest_framework import serializers

from tests.shop.models import Line, Order


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "customer", "total"]


class OrderForStaffSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "reference", "customer", "total", "placed"]


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["id", "order", "text"]
