"""The first tables."""

import sqlalchemy as sa
from alembic import op

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "blobs",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", COUNTER, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("inside", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_blobs_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "digest", name=op.f("pk_blobs")),
    )
    op.create_table(
        "events",
        sa.Column("sequence", COUNTER, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_events_tenant_tenants")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_tenant_sequence"), ["tenant", "sequence"], unique=False)

    op.create_table(
        "gateways",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("birth", COUNTER, nullable=False),
        sa.Column("hello", sa.String(length=64), nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("memory", COUNTER, nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("max_packet", COUNTER, nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("why_not", sa.Text(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.Column("last_seen", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_gateways_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_gateways")),
    )
    op.create_table(
        "journal",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("machine", sa.String(length=255), nullable=False),
        sa.Column("sequence", COUNTER, nullable=False),
        sa.Column("now_ms", COUNTER, nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_journal_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "machine", "sequence", name=op.f("pk_journal")),
    )
    op.create_table(
        "kept",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("machine", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_kept_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "machine", "digest", name=op.f("pk_kept")),
    )
    op.create_table(
        "snapshots",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("machine", sa.String(length=255), nullable=False),
        sa.Column("sequence", COUNTER, nullable=False),
        sa.Column("now_ms", COUNTER, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_snapshots_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "machine", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "stored_responses",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", COUNTER, nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_stored_responses_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "token", "key", name=op.f("pk_stored_responses")),
    )
    with op.batch_alter_table("stored_responses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stored_responses_at"), ["at"], unique=False)

    op.create_table(
        "tasks",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("program", sa.String(length=64), nullable=False),
        sa.Column("program_size", COUNTER, nullable=False),
        sa.Column("weights", sa.String(length=64), nullable=False),
        sa.Column("weights_size", COUNTER, nullable=False),
        sa.Column("parameters", COUNTER, nullable=False),
        sa.Column("contract", sa.String(length=32), nullable=False),
        sa.Column("inference", sa.JSON(), nullable=False),
        sa.Column("grafts", sa.JSON(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_tasks_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_tenant_created_at_id"), ["tenant", "created_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_tenant_digest"), ["tenant", "digest"], unique=True)
        batch_op.create_index(batch_op.f("ix_tasks_tenant_name_created_at"), ["tenant", "name", "created_at"], unique=False)

    op.create_table(
        "tokens",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_tokens_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_tokens")),
    )
    op.create_table(
        "devices",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("examples", COUNTER, nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("memory", COUNTER, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.Column("last_seen", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "gateway"], ["gateways.tenant", "gateways.id"], name=op.f("fk_devices_tenant_gateway_gateways")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_devices_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_devices")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_devices_tenant_gateway"), ["tenant", "gateway"], unique=False)

    op.create_table(
        "runs",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("desired", sa.Text(), nullable=False),
        sa.Column("strategy", sa.JSON(), nullable=False),
        sa.Column("cohort", sa.JSON(), nullable=False),
        sa.Column("rounds", COUNTER, nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("min_answers", COUNTER, nullable=False),
        sa.Column("deadline_seconds", sa.Double(), nullable=False),
        sa.Column("over_selection", sa.Double(), nullable=False),
        sa.Column("evaluate", sa.Boolean(), nullable=False),
        sa.Column("precision", sa.JSON(), nullable=False),
        sa.Column("base_model", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("done", COUNTER, nullable=False),
        sa.Column("model", sa.String(length=32), nullable=True),
        sa.Column("bytes_up", COUNTER, nullable=False),
        sa.Column("bytes_down", COUNTER, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "task_id"], ["tasks.tenant", "tasks.id"], name=op.f("fk_runs_tenant_task_id_tasks")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_runs_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_runs")),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runs_tenant_created_at_id"), ["tenant", "created_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_runs_tenant_status"), ["tenant", "status"], unique=False)

    op.create_table(
        "evaluations",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("version", COUNTER, nullable=False),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("examples", COUNTER, nullable=False),
        sa.Column("members", COUNTER, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "run_id"], ["runs.tenant", "runs.id"], name=op.f("fk_evaluations_tenant_run_id_runs")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_evaluations_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "run_id", "version", name=op.f("pk_evaluations")),
    )
    op.create_table(
        "leases",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", COUNTER, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["runs.tenant", "runs.id"], name=op.f("fk_leases_tenant_run_id_runs")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_leases_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "run_id", name=op.f("pk_leases")),
    )
    op.create_table(
        "models",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=True),
        sa.Column("version", COUNTER, nullable=False),
        sa.Column("parent", sa.String(length=32), nullable=True),
        sa.Column("model_sha256", sa.String(length=64), nullable=False),
        sa.Column("size", COUNTER, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "parent"], ["models.tenant", "models.id"], name=op.f("fk_models_tenant_parent_models")
        ),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["runs.tenant", "runs.id"], name=op.f("fk_models_tenant_run_id_runs")),
        sa.ForeignKeyConstraint(
            ["tenant", "task_id"], ["tasks.tenant", "tasks.id"], name=op.f("fk_models_tenant_task_id_tasks")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_models_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_models")),
    )
    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_models_tenant_created_at_id"), ["tenant", "created_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_models_tenant_run_id_version"), ["tenant", "run_id", "version"], unique=True)
        batch_op.create_index(
            batch_op.f("ix_models_tenant_task_id_created_at_id"), ["tenant", "task_id", "created_at", "id"], unique=False
        )

    op.create_table(
        "rounds",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", COUNTER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("base_version", COUNTER, nullable=False),
        sa.Column("model", sa.String(length=32), nullable=True),
        sa.Column("bytes_up", COUNTER, nullable=False),
        sa.Column("bytes_down", COUNTER, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["runs.tenant", "runs.id"], name=op.f("fk_rounds_tenant_run_id_runs")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_rounds_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "run_id", "number", name=op.f("pk_rounds")),
    )
    op.create_table(
        "contributions",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("ask", sa.String(length=32), nullable=False),
        sa.Column("member", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", COUNTER, nullable=False),
        sa.Column("payload", sa.String(length=64), nullable=False),
        sa.Column("size", COUNTER, nullable=False),
        sa.Column("leaves", COUNTER, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "run_id", "number"],
            ["rounds.tenant", "rounds.run_id", "rounds.number"],
            name=op.f("fk_contributions_tenant_run_id_number_rounds"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_contributions_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "ask", "member", name=op.f("pk_contributions")),
    )
    op.create_table(
        "promotions",
        sa.Column("sequence", COUNTER, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("model_id", sa.String(length=32), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("undone_at", MOMENT, nullable=True),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "model_id"], ["models.tenant", "models.id"], name=op.f("fk_promotions_tenant_model_id_models")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "task_id"], ["tasks.tenant", "tasks.id"], name=op.f("fk_promotions_tenant_task_id_tasks")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_promotions_tenant_tenants")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_promotions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("promotions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_promotions_tenant_task_id_sequence"), ["tenant", "task_id", "sequence"], unique=False
        )
        batch_op.create_index(
            "uq_promotions_holds",
            ["tenant", "task_id"],
            unique=True,
            sqlite_where=sa.text("holds"),
            postgresql_where=sa.text("holds"),
        )

    op.create_table(
        "round_members",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", COUNTER, nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("fate", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("bytes_up", COUNTER, nullable=False),
        sa.Column("bytes_down", COUNTER, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "run_id", "number"],
            ["rounds.tenant", "rounds.run_id", "rounds.number"],
            name=op.f("fk_round_members_tenant_run_id_number_rounds"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_round_members_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "run_id", "number", "gateway", "device", name=op.f("pk_round_members")),
    )
