-- Verdicts, decisions, alerts and revoked tokens. Their engines come later; their tables are part of the contract
-- that backups, dashboards and the other daemons of an installation rely on.
create table experiment_guardrail_verdicts (
    experiment_id integer not null references experiments,
    guardrail text not null,
    arm smallint not null default -1,
    window_start timestamptz not null,
    evaluated_at timestamptz not null,
    verdict text not null check (verdict in ('pass', 'warn', 'fail', 'unknown')),
    samples bigint not null,
    value double precision,
    bound double precision,
    limit_value double precision,
    action text,
    detail jsonb not null,
    primary key (experiment_id, guardrail, arm, window_start)
);
comment on column experiment_guardrail_verdicts.arm is '-1: the experiment as a whole';

create table experiment_decisions (
    experiment_id integer not null references experiments,
    decided_at timestamptz not null,
    decision text not null check (decision in ('ship', 'iterate', 'kill', 'kill_arm', 'keep_running')),
    arm smallint,
    acted boolean not null,
    evidence jsonb not null,
    primary key (experiment_id, decided_at)
);

create table alerts (
    id uuid primary key,
    experiment_id integer references experiments,
    identity text not null,
    state text not null check (state in ('pending', 'firing', 'acked', 'silenced', 'resolved')),
    severity text not null,
    summary text not null,
    opened_at timestamptz not null,
    changed_at timestamptz not null,
    resolved_at timestamptz
);
create unique index alerts_one_open_episode on alerts (identity) where resolved_at is null;

create table alert_deliveries (
    id uuid primary key,
    alert_id uuid not null references alerts,
    channel text not null,
    due_at timestamptz not null,
    attempts integer not null default 0,
    delivered_at timestamptz,
    last_error text
);

create table tokens_revoked (
    token_id text primary key,
    revoked_at timestamptz not null default now(),
    expires_at timestamptz not null
);
