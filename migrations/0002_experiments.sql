-- What is declared and in which state it is. The spec in force is a row of experiment_revisions;
-- the columns here are what every daemon reads to build its world.
create table experiments (
    id integer generated always as identity primary key,
    key text not null constraint experiments_key_is_unique unique,
    state text not null constraint experiments_state_is_known
        check (state in ('draft', 'running', 'paused', 'stopped', 'rolled_back', 'archived')),
    run_state jsonb not null,
    revision bigint not null,
    lanes smallint[] not null,
    created_at timestamptz not null default now(),
    started_at timestamptz
);
comment on table experiments is 'one row per experiment, never deleted; ids and keys are never reused';
comment on column experiments.run_state is 'the state with its since, by and why';
comment on column experiments.revision is 'the installation revision of its newest experiment_revisions row or state change';
comment on column experiments.lanes is 'lane numbers in use; 0 is the holdback';

create table experiment_revisions (
    experiment_id integer not null references experiments,
    revision bigint not null,
    spec jsonb not null,
    created_at timestamptz not null default now(),
    primary key (experiment_id, revision)
);
comment on column experiment_revisions.spec is 'the valid, typed spec; every policy version names the revision it was published under';

create table experiment_arms (
    experiment_id integer not null references experiments,
    arm smallint not null,
    name text not null,
    control boolean not null,
    config jsonb not null,
    retired boolean not null default false,
    primary key (experiment_id, arm),
    constraint experiment_arms_name_is_unique unique (experiment_id, name)
);
comment on column experiment_arms.arm is 'given at first sight and kept for ever: an arm that returns to the file gets its old number';

-- A mark left by a runtime action that apply will not undo.
create table experiment_holds (
    experiment_id integer not null references experiments,
    kind text not null,
    reason text not null,
    placed_by text not null,
    placed_at timestamptz not null default now(),
    released_at timestamptz,
    primary key (experiment_id, kind, placed_at)
);

-- The allow list of testers: served, never counted.
create table experiment_overrides (
    experiment_id integer not null references experiments,
    unit_key bytea not null,
    arm smallint not null,
    expires_at timestamptz not null,
    placed_by text not null,
    primary key (experiment_id, unit_key)
);
