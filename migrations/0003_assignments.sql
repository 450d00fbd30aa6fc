-- Who got what: the assignments ledger. Inserted in batches on the data path, so it is narrow and has no
-- foreign keys; the unit key is part of its key so that it can be distributed by unit.
create table experiment_assignments (
    experiment_id integer not null,
    unit_key bytea not null,
    lane smallint not null,
    arm smallint not null,
    version integer not null,
    open boolean not null,
    at timestamptz not null,
    exposed_at timestamptz,
    primary key (experiment_id, unit_key)
);
comment on column experiment_assignments.open is 'exposed, and the attribution window has not been closed by the fold';
comment on column experiment_assignments.exposed_at is 'start of the attribution window; null: assigned, never exposed';

-- The fold finds the windows to close here. It is a work list, not a cursor: rows leave it when they are closed.
create index experiment_assignments_open on experiment_assignments (experiment_id, exposed_at) where open;

-- Assignments not yet counted into the state: one row per batch, lane, arm and version, written by the very
-- statement that inserts the assignments, so that the count has exactly one effect without touching a hot row.
create table experiment_assigned_counts (
    id bigint generated always as identity primary key,
    experiment_id integer not null,
    lane smallint not null,
    arm smallint not null,
    version integer not null,
    assigned integer not null,
    exposed integer not null,
    at timestamptz not null
);
