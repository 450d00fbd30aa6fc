-- Where each guardrail stands, for each arm (-1: the experiment as a whole), and what a person said of it.
create table experiment_guardrails (
    experiment_id integer not null references experiments,
    guardrail text not null,
    arm smallint not null,
    memory jsonb not null,
    looked_at timestamptz not null,
    primary key (experiment_id, guardrail, arm)
) with (fillfactor = 70);
create table experiment_guardrail_overrides (
    experiment_id integer not null references experiments,
    guardrail text not null,
    placed_at timestamptz not null,
    placed_by text not null,
    reason text not null,
    until timestamptz,
    ended_at timestamptz,
    primary key (experiment_id, guardrail, placed_at)
);
comment on column experiment_guardrail_overrides.until is 'null: until the condition clears';

-- Screens ask for the newest verdicts of an experiment.
create index experiment_guardrail_verdicts_newest on experiment_guardrail_verdicts (experiment_id, window_start desc);
create index experiment_guardrail_verdicts_acted on experiment_guardrail_verdicts (experiment_id, window_start desc)
    where action is not null;
