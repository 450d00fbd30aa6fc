-- The fold at hundreds of thousands of events a round. Folds go in turn instead of locking every unit they read; events
-- that are no part of a reward, which are most, leave the index by unit; and events are counted as they are folded,
-- because nobody can wait for a count of the whole ledger.
create table experiment_fold_turn (
    only_row boolean primary key default true check (only_row)
);
comment on table experiment_fold_turn is 'locked by a fold from its beginning to its commit';
insert into experiment_fold_turn default values;

create table experiment_event_counts (
    experiment_id integer not null,
    event text not null,
    outcome smallint not null,
    count bigint not null,
    primary key (experiment_id, event, outcome)
) with (fillfactor = 50);
comment on table experiment_event_counts is 'rows of experiment_events; kept by the fold, in the transaction that moves them';
insert into experiment_event_counts
select experiment_id, event, outcome, count(*) from experiment_events group by 1, 2, 3;

create table experiment_folds (
    experiment_id integer primary key,
    folds bigint not null
) with (fillfactor = 50);
comment on table experiment_folds is 'how often each experiment''s state has changed: a publisher that sees another number looks again';

drop index experiment_events_by_unit;
create index experiment_events_by_unit on experiment_events (experiment_id, unit_key) where outcome <> 5;
create index experiment_events_late on experiment_events (experiment_id) where outcome = 1;
comment on column experiment_events.outcome is
    '0 counted towards its unit, 1 late (after the window, or folded after it was closed), 2 unit had no exposure when it was folded, 3 over the per-unit cap, 4 before the exposure, 5 no part of the reward (0 in rows from before this)';
comment on column experiment_minutes.event is '$assigned and $exposed count units, $reward closed windows; others are events';

-- Queues: as many rows are deleted as are inserted, so what matters is that their space is used again soon, not that a
-- fifth of the table is dead. They are vacuumed at full speed: they are small, and small only because of that.
alter table experiment_landing set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000,
    autovacuum_vacuum_cost_delay = 0);
alter table experiment_assigned_counts set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0);
-- Rows that every round adds to: room on their pages keeps these updates out of the indexes.
alter table experiment_bandit_state set (fillfactor = 50);
alter table experiment_minutes set (fillfactor = 80);
-- Windows are closed by an update: what it leaves behind is used again by the assignments of the next hours, not only
-- once a fifth of a hundred million rows is dead.
alter table experiment_assignments set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);
