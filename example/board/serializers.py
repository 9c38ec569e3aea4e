from rest_framework import serializers

from board.models import Card, List


class ListSerializer(serializers.ModelSerializer):
    class Meta:
        model = List
        fields = ["id", "name", "position"]


class CardSerializer(serializers.ModelSerializer):
    class Meta:
        model = Card
        fields = ["id", "list", "title", "notes", "position", "version"]
        read_only_fields = ["version"]
        extra_kwargs = {"position": {"required": False}}
