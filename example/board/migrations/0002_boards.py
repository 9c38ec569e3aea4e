import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def forget(apps, schema_editor):
    """Lists had no board, and the demo fills an empty board anew."""
    apps.get_model("board", "List").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("board", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(forget, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Board",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "members",
                    models.ManyToManyField(related_name="boards", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.AddField(
            model_name="list",
            name="board",
            field=models.ForeignKey(
                default=1,  # there are none
                on_delete=django.db.models.deletion.CASCADE,
                related_name="lists",
                to="board.board",
            ),
            preserve_default=False,
        ),
    ]
