from rest_framework import serializers

from board.models import Board, Card, List


class BoardSerializer(serializers.ModelSerializer[Board]):
    class Meta:
        model = Board
        fields = ["id", "name"]


class ListSerializer(serializers.ModelSerializer[List]):
    class Meta:
        model = List
        fields = ["id", "name", "position"]


class CardSerializer(serializers.ModelSerializer[Card]):
    class Meta:
        model = Card
        fields = ["id", "list", "title", "notes", "position", "version"]
        read_only_fields = ["version"]
        extra_kwargs = {"position": {"required": False}}

    def validate_list(self, value: List) -> List:
        if not value.board.members.contains(self.context["request"].user):
            raise serializers.ValidationError("There is no such list on a board of yours.")
        return value
