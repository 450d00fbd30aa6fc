-- What went with the weeks that retention dropped: the counts of the ledger are those of the weeks that are there and
-- these, so that everything that was ever folded stays accounted for.
create table experiment_events_dropped (
    experiment_id integer not null,
    event text not null,
    outcome smallint not null,
    count bigint not null,
    kept_since timestamptz not null,
    primary key (experiment_id, event, outcome)
);
comment on table experiment_events_dropped is 'events that retention dropped; written in the transaction that drops their week';
comment on column experiment_events_dropped.kept_since is 'events that were received earlier are gone';
