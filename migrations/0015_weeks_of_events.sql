-- The events ledger in weeks, so that old ones can go: a table per ISO week (UTC) of receipt. It grew by 117 bytes
-- and 56 of index an event, for ever, and no delete of a hundred million rows ever gives its space back in time.
--
-- Each week has its own unique key. One over all weeks would have to hold received_at, which a caller's second try does
-- not repeat; the fold, which goes in turn and sees all that was committed, looks an id up in the weeks that may have it.
-- There is no default partition: it would be searched at every new week, under a lock that stops the fold.
--
-- What this locks: experiment_events, from its first statement to the commit, while the ledger is read twice from end
-- to end (for its newest row, and to prove that all of it is older than the weeks to come; a validated CHECK would save
-- the second, and be a reading itself). Nothing is written again. That took 1.4 s for 5 million rows in memory, and takes
-- as long as reading 1.2 GB where they are not. Only the fold and `pitbossd verify` wait meanwhile: assign and track
-- do not touch this table, and what is tracked waits in experiment_landing.
alter table experiment_events rename to experiment_events_before;
alter index experiment_events_pkey rename to experiment_events_before_pkey;
alter index experiment_events_by_unit rename to experiment_events_before_by_unit;
alter index experiment_events_late rename to experiment_events_before_late;

create table experiment_events (like experiment_events_before including comments)
    partition by range (received_at);
create index experiment_events_by_unit on experiment_events (experiment_id, unit_key) where outcome <> 5;
create index experiment_events_late on experiment_events (experiment_id) where outcome = 1;
comment on table experiment_events is
    'in weeks by received_at; the fold makes them, and keeps that no more than 7 days before and a day after its own time';

do $$
declare
    weeks_begin timestamptz;
begin
    select date_trunc('week', greatest(now(), max(received_at)), 'UTC') + interval '168 hours'
    into weeks_begin from experiment_events_before;
    execute format('alter table experiment_events attach partition experiment_events_before '
        'for values from (minvalue) to (%L)', weeks_begin);
end
$$;
create view experiment_event_weeks as
select c.oid::regclass::text as name,
    coalesce(substring(bounds from 'FROM \(''([^'']+)''')::timestamptz, '-infinity') as starts,
    substring(bounds from 'TO \(''([^'']+)''')::timestamptz as ends
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
cross join lateral pg_get_expr(c.relpartbound, c.oid) as bounds
where i.inhparent = 'experiment_events'::regclass;
comment on view experiment_event_weeks is 'the tables that experiment_events is made of, and which times of receipt each has';

-- As the weeks to come are made: nothing in them changes for long, so rows are frozen soon after they are written, a
-- million at a time, and not all at once in years.
alter table experiment_events_before set (
    autovacuum_freeze_min_age = 0,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000);

-- Counted by week, so that what goes with a week is known without counting it.
alter table experiment_event_counts add column week timestamptz not null default 'epoch';
alter table experiment_event_counts alter column week drop default;
alter table experiment_event_counts drop constraint experiment_event_counts_pkey;
alter table experiment_event_counts add primary key (experiment_id, event, outcome, week);
comment on column experiment_event_counts.week is
    'first instant of the week of receipt; 1970 for all that came before there were weeks';
