-- What guardrails judge by: what the fold learned of guarded events, by the minute in which it learned it. Rollups go by
-- when things happened; a limit has to hold for what becomes known now, however late it was sent. A minute that is over
-- never changes, because folds go in turn.
create table experiment_guard_minutes (
    experiment_id integer not null,
    minute timestamptz not null,
    arm smallint not null,
    event text not null,
    count bigint not null,
    sum double precision not null,
    sum_sq double precision not null,
    units bytea not null,
    sketch bytea not null,
    primary key (experiment_id, minute, arm, event)
) with (fillfactor = 50);
comment on table experiment_guard_minutes is 'kept for three days; only events that a guardrail names, and $exposed';
comment on column experiment_guard_minutes.units is
    'different units that sent the event within an hour after they met their arm: the least hashes of their keys, 8 bytes each';
comment on column experiment_guard_minutes.sketch is 'mergeable quantile sketch of the values; empty where nobody asks for quantiles';
comment on column experiment_minutes.sketch is 'not used: quantiles are kept with the minutes that guardrails judge by';
