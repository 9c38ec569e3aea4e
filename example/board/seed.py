"""What an empty board starts with, and who is on it."""

from django.contrib.auth.models import User

from board.models import Board, Card, List

MEMBERS = ["Mira", "Jonas"]
STRANGER = "Alma"

BOARD = {
    "To do": [
        ("Write the release notes", "Start from the changelog; one picture of the new board."),
        ("Ask Mira about the icon set", ""),
        ("Try the board on a phone", "Small screen, one thumb, train tunnel."),
        ("Plan the demo for Thursday", ""),
    ],
    "Doing": [
        ("Show who else is here", "Presence channel; initials in the header."),
        ("Make moving work without a mouse", ""),
    ],
    "Done": [
        ("Pick the colours", "Calm by day, calm by night."),
        ("Push after the commit, not before", "A roll-back is nobody's news."),
        ("First sketch of the board", ""),
    ],
}


def seed() -> None:
    """Make the board and its people, unless it has lists already."""
    if List.objects.exists():
        return
    for name in (*MEMBERS, STRANGER):
        User.objects.get_or_create(username=name.lower(), defaults={"first_name": name})
    board = Board.objects.create(name="Release 1.0")
    board.members.set(User.objects.filter(first_name__in=MEMBERS))
    for position, (name, cards) in enumerate(BOARD.items()):
        board_list = List.objects.create(board=board, name=name, position=position)
        for title, notes in cards:
            Card.objects.create(list=board_list, title=title, notes=notes)
