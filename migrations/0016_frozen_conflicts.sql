-- With on_outage = "frozen" two daemons that are cut off from the database may show one unit two arms; the first committed
-- record is the unit's. Who was shown another arm is kept, so that the results can say how many that were.
create table experiment_frozen_conflicts (
    experiment_id integer not null,
    unit_key bytea not null,
    shown smallint not null,
    recorded smallint not null,
    at timestamptz not null,
    primary key (experiment_id, unit_key)
);
comment on table experiment_frozen_conflicts is 'units that were shown another arm while the database was away than the one on record, each once';
comment on column experiment_frozen_conflicts.shown is 'the arm that was answered during the outage';
comment on column experiment_frozen_conflicts.at is 'when it was answered';
