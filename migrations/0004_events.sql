-- Events that were acknowledged and not yet folded. The fold deletes what it has moved: a queue, in the one
-- transaction that has the effect.
create table experiment_landing (
    id bigint generated always as identity primary key,
    experiment_id integer not null,
    event_id uuid not null,
    unit_key bytea not null,
    kind smallint not null,
    event text not null,
    value double precision,
    digest bigint not null,
    at timestamptz not null,
    received_at timestamptz not null
);
comment on column experiment_landing.kind is '0 event, 1 exposure (event is empty)';
comment on column experiment_landing.digest is 'of the body: the same id with another digest is a conflict, counted and shown';

-- The events ledger: what happened, each event once.
create table experiment_events (
    experiment_id integer not null,
    event_id uuid not null,
    unit_key bytea not null,
    event text not null,
    value double precision,
    digest bigint not null,
    at timestamptz not null,
    received_at timestamptz not null,
    outcome smallint not null,
    primary key (experiment_id, event_id)
);
comment on column experiment_events.outcome is '0 counted towards its unit, 1 late (after the window), 2 unit has no assignment, 3 over the per-unit cap';
create index experiment_events_by_unit on experiment_events (experiment_id, unit_key);

-- What else came under a known id, counted so that it can be shown.
create table experiment_event_repeats (
    experiment_id integer primary key,
    duplicates bigint not null,
    conflicts bigint not null
);
