"""What is counted and not journalled: how far readers of the journal are, usage, uses of the app."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# Written out rather than taken from the schema: a migration says for ever what it once did.
exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "progress",
        sa.Column("name", exact, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    _usage()
    op.create_table(
        "app_days",
        sa.Column("country", exact, nullable=False),
        sa.Column("day", exact, nullable=False),
        sa.Column("installs", sa.BigInteger, nullable=False),
        sa.Column("active", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("country", "day", name="app_days_pk"),
    )


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("terminal", exact, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("down_bytes", sa.BigInteger, nullable=False),
        sa.Column("up_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("terminal", "sequence", name="usage_pk"),
    )
    op.create_index("usage_at", "usage", ["at_us"])
    op.create_table(
        "usage_days",
        sa.Column("terminal", exact, nullable=False),
        sa.Column("day", exact, nullable=False),
        sa.Column("account", exact, nullable=False),
        sa.Column("down_bytes", sa.BigInteger, nullable=False),
        sa.Column("up_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("terminal", "day", "account", name="usage_days_pk"),
    )
    op.create_index("usage_days_account", "usage_days", ["account", "day"])
    op.create_table(
        "usage_cycles",
        sa.Column("account", exact, nullable=False),
        sa.Column("cycle", exact, nullable=False),
        sa.Column("used_bytes", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "cycle", name="usage_cycles_pk"),
    )
    op.create_index("usage_cycles_changed", "usage_cycles", ["changed"])
