"""What an empty board starts with."""

from board.models import Card, List

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


def seed():
    """Fill the board, unless it has lists already."""
    if List.objects.exists():
        return
    for position, (name, cards) in enumerate(BOARD.items()):
        board_list = List.objects.create(name=name, position=position)
        for title, notes in cards:
            Card.objects.create(list=board_list, title=title, notes=notes)
